"""The shell scripts with programs in place of cargo and Docker: the table of `check.sh`, the accounting of `cluster.sh`, the comparison of decisions."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import CI

# Ends with 1 at the subcommand that `FAILS_AT` names.
CARGO = """#!/bin/sh
echo "cargo $*" >>"$CALLS"
[ "$1" != "$FAILS_AT" ]
"""
# Knows a cluster of ours from the second time on that it is asked for containers.
DOCKER = """#!/bin/sh
case "$1" in
  ps)
    echo 'container stranger'
    if [ -e "$ASKED" ] && [ -n "$LEAVES" ]; then echo "container $LEAVES"; fi
    touch "$ASKED" ;;
esac
"""


class Steps(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name) / "checkout"
        self.calls = pathlib.Path(temporary.name) / "calls"
        (self.root / "ci/tests").mkdir(parents=True)
        (self.root / "docs/adr").mkdir(parents=True)
        (self.root / "docs/adr/README.md").write_text("")
        for script in ("check.sh", "cluster.sh", "documents.py", "features.py", "same-decisions.py"):
            shutil.copy(CI / script, self.root / "ci" / script)
        # It asks cargo for an executable, which is not there; `test_nextest.py` has what it reads.
        (self.root / "ci/nextest.py").write_text("")
        (self.root / "ci/tests/test_nothing.py").write_text("import unittest\nclass A(unittest.TestCase):\n def test_a(self): pass\n")
        for run in ("h1", "h2"):
            (self.root / "target/conformance" / run).mkdir(parents=True)
            (self.root / "target/conformance" / run / "decisions.tsv").write_text("A01\tallowed\n")
        programs = pathlib.Path(temporary.name) / "programs"
        programs.mkdir()
        for name, text in (("cargo", CARGO), ("docker", DOCKER)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        asked = pathlib.Path(temporary.name) / "asked"
        self.environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", CALLS=str(self.calls), ASKED=str(asked), FAILS_AT="", LEAVES="")

    def run_script(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | variables
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def test_the_table_has_every_step_in_its_order(self) -> None:
        ran = self.run_script("ci/check.sh")
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        table = ran.stdout.split("== time of each step\n")[1].splitlines()
        steps = [line.split(" s  ")[1] for line in table]
        self.assertEqual(steps[0], "formatting")
        self.assertEqual(steps[-2:], ["every wrong agent and wrong deployment is noticed", "in all"])
        self.assertEqual(len(steps), 15)
        self.assertNotIn("failed", ran.stdout)

    def test_a_step_that_fails_ends_the_check_and_stands_in_the_table(self) -> None:
        ran = self.run_script("ci/check.sh", FAILS_AT="clippy")
        self.assertEqual(ran.returncode, 1)
        table = ran.stdout.split("== time of each step\n")[1].splitlines()
        self.assertEqual([line.split(" s  ")[1] for line in table[:-1]], ["formatting", "documents and scripts", "one set of dependencies", "lints", "in all"])
        self.assertEqual(table[-1], "failed with exit code 1: lints")
        self.assertNotIn("cargo test", self.calls.read_text())

    def test_no_step_builds_another_profile(self) -> None:
        self.run_script("ci/check.sh")
        self.assertNotIn("--release", self.calls.read_text())

    def test_runs_that_decide_differently_fail_the_check(self) -> None:
        (self.root / "target/conformance/h2/decisions.tsv").write_text("A01\tlost\n")
        ran = self.run_script("ci/check.sh")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("failed with exit code 1: the same decisions twice", ran.stdout)

    def test_one_record_alone_is_no_comparison(self) -> None:
        shutil.rmtree(self.root / "target/conformance/h1")
        ran = self.run_script(sys.executable, "ci/same-decisions.py", "target/conformance")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("two are needed", ran.stderr)

    def test_only_the_two_newest_records_are_compared(self) -> None:
        old = self.root / "target/conformance/h0"
        old.mkdir()
        (old / "decisions.tsv").write_text("A01\tlost\n")
        os.utime(old / "decisions.tsv", (1, 1))
        ran = self.run_script(sys.executable, "ci/same-decisions.py", "target/conformance")
        self.assertEqual((ran.returncode, ran.stdout), (0, "1 decisions, the same in h1 and h2\n"), ran.stderr)

    def test_the_link_to_the_latest_run_is_no_run_of_its_own(self) -> None:
        earlier = self.root / "target/conformance/h1/decisions.tsv"
        earlier.write_text("A01\tlost\n")
        os.utime(earlier, (1, 1))
        (self.root / "target/conformance/latest").symlink_to("h2")
        ran = self.run_script(sys.executable, "ci/same-decisions.py", "target/conformance")
        self.assertEqual(ran.returncode, 1, ran.stdout)

    def test_a_cluster_of_ours_that_is_left_fails_a_run_that_passed(self) -> None:
        ran = self.run_script("ci/cluster.sh", "kind", "A01", LEAVES="conformance-h1-control-plane")
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(ran.stderr, "left behind: container conformance-h1-control-plane\n")
        self.assertEqual(self.calls.read_text(), "cargo conformance --environment kind A01\n")

    def test_a_container_of_others_is_not_left_behind(self) -> None:
        ran = self.run_script("ci/cluster.sh", "kind", LEAVES="their-database")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))

    def test_the_run_decides_where_nothing_is_left(self) -> None:
        ran = self.run_script("ci/cluster.sh", "kind", FAILS_AT="conformance")
        self.assertEqual(ran.returncode, 1)


if __name__ == "__main__":
    unittest.main()
