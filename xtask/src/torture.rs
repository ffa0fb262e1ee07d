//! The torture of real processes: what it runs, and how. It lives in `end2end/torture`.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process;

/// Replicas are killed at named points of the code, so the server is built with these.
pub const FEATURE: &str = "failpoints";

/// Builds the server that is tortured.
pub fn build() -> Result<()> {
    process::check(process::cargo().args(["build", "--bin", "regrant", "--features", FEATURE]))
}

/// Builds what is tortured, and tortures it; the arguments go there.
pub fn build_and_run(args: &[String]) -> Result<ExitCode> {
    build()?;
    process::exit_code(&mut run(args))
}

/// Whether there is what the torture moves clocks with (libfaketime).
pub fn can_move_clocks() -> bool {
    let mut node = process::command("node");
    node.args([
        "-e",
        "import('./end2end/torture/faketime.mjs').then((m) => process.exit(m.faketime() ? 0 : 1))",
    ]);
    node.status().is_ok_and(|status| status.success())
}

/// The command that tortures.
pub fn run(args: &[String]) -> Command {
    let mut node = process::command("node");
    node.arg("end2end/torture/run.mjs").args(args);
    node
}

/// The command that tests its judge.
pub fn judge_tests() -> Command {
    let mut node = process::command("node");
    node.args(["--test", "--test-reporter=tap", "end2end/torture/oracle.test.mjs"]);
    node
}

/// The command that keeps a release at work and watches what it takes up.
pub fn soak(args: &[String]) -> Command {
    let mut node = process::command("node");
    node.arg("end2end/torture/soak.mjs").args(args);
    node
}
