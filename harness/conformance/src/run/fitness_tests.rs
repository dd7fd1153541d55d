//! The shipped files are fit, those of every mutant too, and what is missing is said once.

use super::*;
use crate::catalogue::load::load_catalogue;
use crate::self_test::edit::edited;
use crate::self_test::load::load_matrix;
use crate::self_test::matrix::Wrong;

fn shipped() -> Project {
    Project::at(Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")))
}

fn faults(project: &Project) -> Vec<String> {
    let catalogue = load_catalogue(project).expect("the files are right");
    let fitness = examine(project, &catalogue.scenarios, &Place::Local).expect("readable");
    let all = fitness.missing.iter().chain(&fitness.faults);
    all.map(ToString::to_string).collect()
}

#[test]
fn everything_that_a_shipped_scenario_deploys_is_there_and_fit() {
    assert_eq!(faults(&shipped()), Vec::<String>::new());
}

#[test]
fn a_deployment_that_a_mutant_makes_wrong_is_judged_and_not_refused() {
    let project = shipped();
    let catalogue = load_catalogue(&project).expect("the files are right");
    let matrix = load_matrix(&project, &catalogue.scenarios).expect("the mutants are right");
    let place = tempfile::tempdir().expect("a folder");
    let place = Utf8Path::from_path(place.path()).expect("UTF-8");
    let mut checked = 0;
    for mutant in matrix.all() {
        if let Wrong::Deployment(changes) = &mutant.wrong {
            let wrong = edited(&project, changes, place).expect("a change");
            assert_eq!(
                faults(&wrong.project),
                Vec::<String>::new(),
                "{}",
                mutant.name
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}
