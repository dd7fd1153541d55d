//! The published JSON Schemas.

use clap::ValueEnum;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::event::EventLine;
use super::record::RunRecord;
use crate::bench::gate::GateFile;
use crate::bench::ladder_record::LadderRecord;
use crate::bench::record::BenchRecord;
use crate::catalogue::configuration::ConfigurationFile;
use crate::catalogue::profile::ProfileFile;
use crate::procedure::registry::ScenarioFile;
use crate::self_test::mutant_file::MutantFile;
use harness_core::model::agent_description::{AgentDescription, BLOCK_STATUS_PLACEHOLDER};
use harness_core::model::payload::PayloadFile;
use harness_core::model::seed::SeedFile;

/// The formats that have a schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// `agents/*.yaml`.
    Agent,
    /// `bench.json`.
    Bench,
    /// `conformance.yaml`.
    Configuration,
    /// A line of `run --events`.
    Events,
    /// The file of `bench --gate`.
    Gate,
    /// `ladder.json`.
    Ladder,
    /// `mutants/*.yaml`.
    Mutants,
    /// `fixtures/payloads/*.yaml`.
    Payloads,
    /// `scenarios/profiles/*.yaml`.
    Profile,
    /// `report.json`.
    Report,
    /// `scenarios/*/*.yaml`.
    Scenario,
    /// `fixtures/payloads/seeds/*.yaml`.
    Seeds,
}

/// The fields of a scenario file in which the status of a denial stands.
const STATUS_FIELDS: [&str; 5] = [
    "decision",
    "denied-status",
    "denied-with",
    "response-code",
    "status",
];

impl Format {
    /// Every format.
    pub const ALL: [Self; 11] = [
        Self::Bench,
        Self::Configuration,
        Self::Events,
        Self::Gate,
        Self::Ladder,
        Self::Mutants,
        Self::Payloads,
        Self::Profile,
        Self::Report,
        Self::Scenario,
        Self::Seeds,
    ];

    /// Returns the name of the schema's file below `docs/schemas/`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Agent => "agent.v1.json",
            Self::Bench => "bench.v1.json",
            Self::Configuration => "configuration.v1.json",
            Self::Events => "events.v1.json",
            Self::Gate => "gate.v1.json",
            Self::Ladder => "ladder.v1.json",
            Self::Mutants => "mutants.v1.json",
            Self::Payloads => "payloads.v1.json",
            Self::Profile => "profile.v1.json",
            Self::Report => "report.v2.json",
            Self::Scenario => "scenario.v1.json",
            Self::Seeds => "seeds.v1.json",
        }
    }

    /// Makes the schema.
    pub fn schema(self) -> Schema {
        match self {
            Self::Events => SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize())
                .into_root_schema_for::<EventLine>(),
            Self::Bench => SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize())
                .into_root_schema_for::<BenchRecord>(),
            // Files are read: what has a default may be left out.
            Self::Agent => SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                .into_root_schema_for::<AgentDescription>(),
            Self::Configuration => {
                SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                    .into_root_schema_for::<ConfigurationFile>()
            }
            Self::Gate => SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                .into_root_schema_for::<GateFile>(),
            Self::Ladder => SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize())
                .into_root_schema_for::<LadderRecord>(),
            Self::Mutants => SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                .into_root_schema_for::<MutantFile>(),
            Self::Payloads => {
                SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                    .into_root_schema_for::<PayloadFile>()
            }
            Self::Profile => SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                .into_root_schema_for::<ProfileFile>(),
            Self::Report => SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize())
                .into_root_schema_for::<RunRecord>(),
            Self::Scenario => {
                let mut schema =
                    SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                        .into_root_schema_for::<ScenarioFile>();
                if let Some(fields) = schema.as_object_mut() {
                    fields.values_mut().for_each(allow_the_agents_status);
                }
                schema
            }
            Self::Seeds => SchemaGenerator::new(SchemaSettings::draft2020_12().for_deserialize())
                .into_root_schema_for::<SeedFile>(),
        }
    }

    /// Returns the schema as a file holds it.
    ///
    /// # Panics
    ///
    /// Never: a schema is a tree of JSON values.
    pub fn text(self) -> String {
        let mut text = serde_json::to_string_pretty(&self.schema())
            .expect("a schema is a tree of JSON values");
        text.push('\n');
        text
    }
}
/// Lets a status be that with which the agent under test denies.
fn allow_the_agents_status(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for (name, property) in properties {
                    if STATUS_FIELDS.contains(&name.as_str()) {
                        let description = property.get("description").cloned();
                        let status = property.take();
                        *property =
                            json!({ "anyOf": [status, { "const": BLOCK_STATUS_PLACEHOLDER }] });
                        if let Some(description) = description {
                            property["description"] = description;
                        }
                    }
                }
            }
            fields.values_mut().for_each(allow_the_agents_status);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_the_agents_status),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
