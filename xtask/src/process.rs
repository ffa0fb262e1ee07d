//! Running other programs.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The folder of the project, whatever folder the command was given in.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// A command in the project's folder.
///
/// It does not see what `cargo run` says of us to us: build scripts watch some of these variables,
/// and a cargo that saw them would build half of the dependencies anew, as would the next without.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo, the same one that runs us.
pub fn cargo() -> Command {
    let mut cargo = command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    // The site and the server find each other in the project's own `target`.
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo
}

/// Runs to the end and fails if the program does.
pub fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| name(command))?;
    if !status.success() {
        bail!("{} ended with {status}", name(command));
    }
    Ok(())
}

/// Runs to the end; a failure is the program's own to explain.
pub fn exit_code(command: &mut Command) -> Result<ExitCode> {
    let status = match command.status() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{} is not installed", name(command))
        }
        status => status.with_context(|| name(command))?,
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Whether the program is there and answers.
pub fn answers(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn name(command: &Command) -> String {
    let args = command.get_args().take(3).map(|arg| arg.to_string_lossy().into_owned());
    [command.get_program().to_string_lossy().into_owned()]
        .into_iter()
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}

extern "C" fn ignore(_: nix::libc::c_int) {}

/// Lets Ctrl-C end the programs that we run, and us go on to clean up after them. A handler is
/// undone for the programs that we start; ignoring the signal would not be.
pub fn outlive_ctrl_c() -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(ignore), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing, so it is safe at any moment.
    unsafe { sigaction(Signal::SIGINT, &action) }.context("handling Ctrl-C")?;
    Ok(())
}
