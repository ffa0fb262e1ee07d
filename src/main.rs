//! The binary: subcommands, nothing else.

use std::{io::Read, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::{
    Parser, Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use regrant::{
    domain::{
        access::{Role as UserRole, Scope},
        voice,
    },
    sandbox::{
        self,
        demo::{self, Crowd},
    },
    server::{
        app::{self, Actor},
        clock::{Clock, SystemClock, SystemRng},
        config::Config,
        secret::master::MasterKey,
        start::{self, Role},
        telemetry,
    },
};

/// A page is made of thousands of small pieces: with the system's allocator, a quarter of what the server
/// computes is their coming and going.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps an organisation's OAuth connections alive.
#[derive(Parser)]
#[command(name = "regrant", version, about)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the dashboard and the API, and refresh what is due
    Serve {
        /// What this process does
        #[arg(long, value_enum, default_value_t)]
        role: Role,
    },
    /// Serve with a sandbox provider and sample data, kept apart from real data
    Demo {
        /// Where the sandbox provider listens
        #[arg(long, default_value = "127.0.0.1:4400")]
        sandbox_listen: SocketAddr,
        /// How many more sample connections to make, over 20 clients of different providers
        #[arg(long, default_value_t = 0)]
        size: u64,
        /// How many refreshes each of these has behind it
        #[arg(long, default_value_t = 50, hide = true)]
        attempts: u32,
        /// The same seed makes the same connections
        #[arg(long, default_value_t = 1, hide = true)]
        seed: u64,
    },
    /// Bring the database's schema up to date
    Migrate,
    /// Manage people
    #[command(subcommand)]
    User(UserCommand),
    /// Manage keys for programs
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Manage the keys that seal secrets
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Run the sandbox: a strict authorization server in memory, with a client demo (secret demo-secret)
    Sandbox {
        /// Where it listens
        // Of the same name as the one for all commands, and in its place.
        #[arg(long = "listen", id = "listen", default_value = "127.0.0.1:4400")]
        sandbox_listen: SocketAddr,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Add a person; the password is read from standard input
    Create {
        #[arg(long)]
        email: String,
        #[arg(long, value_parser = roles())]
        role: UserRole,
    },
}

#[derive(Subcommand)]
enum ApiKeyCommand {
    /// Make a key and print it, once
    Create {
        #[arg(long)]
        name: String,
        /// What the key may be used for; can be repeated
        #[arg(long = "scope", required = true, num_args = 1.., value_parser = scopes())]
        scopes: Vec<Scope>,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a new data key and seal everything anew with it; or replace the master key
    Rotate {
        /// The file of a new master key (made when it is not there); data keys are rewrapped
        #[arg(long)]
        new_master_key_file: Option<PathBuf>,
    },
}

/// Reads a role; the help and a refusal name all there are.
fn roles() -> impl TypedValueParser<Value = UserRole> {
    let known = UserRole::ALL.map(|role| PossibleValue::new(role.as_str()).help(voice::role(role)));
    PossibleValuesParser::new(known).try_map(|name| name.parse::<UserRole>())
}

/// The same of scopes.
fn scopes() -> impl TypedValueParser<Value = Scope> {
    let known = Scope::ALL.map(|scope| PossibleValue::new(scope.as_str()).help(scope.meaning()));
    PossibleValuesParser::new(known).try_map(|name| name.parse::<Scope>())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("regrant: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    telemetry::begin_log(&cli.config.log)?;
    let config = match cli.command {
        Command::Demo { .. } => demo::settings(cli.config)?,
        _ => cli.config,
    };
    if let Command::Sandbox { sandbox_listen } = cli.command {
        return runtime()?.block_on(run_sandbox(sandbox_listen));
    }
    let is_demo = matches!(cli.command, Command::Demo { .. });
    if is_demo && config.database_url().is_none() {
        println!("starting a database for the demo …");
    }
    // A private database ends with the thread that began it, so this one begins it.
    let (url, postgres) = start::database(&config)?;
    let done = runtime()?.block_on(run_on_database(&config, &url, cli.command));
    if let Some(postgres) = postgres {
        postgres.stop()?;
    }
    done
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads could be begun")
}

async fn run_on_database(config: &Config, url: &str, command: Command) -> anyhow::Result<()> {
    // A demo forgets everything, and its private database is nobody else's.
    let pool = match (&command, config.database_url()) {
        (Command::Demo { .. }, None) => {
            start::forget_journals(config)?;
            start::connect_afresh(url).await?
        }
        _ => start::connect(url).await?,
    };
    if matches!(command, Command::Migrate) {
        println!("the schema is up to date");
        return Ok(());
    }
    if let Command::Keys(KeysCommand::Rotate { new_master_key_file: Some(path) }) = &command {
        let old = start::master_key(config, &SystemRng)?;
        let (new, made) = MasterKey::read_or_make(path, &SystemRng)?;
        let count =
            app::keys::rewrap(&pool, &old, &new, &SystemRng, SystemClock::new().now()).await?;
        println!("rewrapped {count} data keys; start Regrant with the new master key from now on");
        if made {
            println!("made {}; keep a copy in a safe place", path.display());
        }
        return Ok(());
    }
    let app = start::app(config, pool).await?;
    match command {
        Command::Serve { role } => start::serve(config, app, role, start::asked_to_stop()).await,
        Command::Demo { sandbox_listen, size, attempts, seed } => {
            let crowd = (size > 0).then_some(Crowd { size, attempts, seed });
            let ready =
                demo::prepare(&app, sandbox_listen, crowd, |doing| println!("{doing} …")).await?;
            println!("{ready}");
            start::serve(config, app, Role::All, start::asked_to_stop()).await?;
            ready.end().await;
            Ok(())
        }
        Command::User(UserCommand::Create { email, role }) => {
            let mut password = String::new();
            std::io::stdin()
                .read_to_string(&mut password)
                .context("no password on standard input")?;
            let password = password.trim_end_matches(['\r', '\n']).to_owned().into();
            let user =
                said(app::user::create(&app, &Actor::Operator, &email, role, password).await)?;
            println!("{} can sign in as {}", user.email, user.role);
            Ok(())
        }
        Command::ApiKey(ApiKeyCommand::Create { name, scopes }) => {
            let made = said(app::api_key::create(&app, &Actor::Operator, &name, &scopes).await)?;
            println!("{}", made.key);
            Ok(())
        }
        Command::Keys(KeysCommand::Rotate { .. }) => {
            let id = said(app::keys::rotate(&app, &Actor::Operator).await)?;
            let mut total = 0;
            loop {
                let done = said(app::keys::reseal_some(&app).await)?;
                total += done;
                if done == 0 {
                    break;
                }
                println!("sealed {total} rows anew …");
            }
            println!("data key {id} seals from now on; {total} rows were sealed anew");
            let left = said(app::keys::count_left(&app).await)?;
            if left > 0 {
                println!(
                    "{left} rows were in use or do not open, and still need an older key: the log says \
                     which do not open"
                );
            }
            Ok(())
        }
        Command::Migrate | Command::Sandbox { .. } => Ok(()),
    }
}

/// A use case's error as the one line that helps.
fn said<T>(result: app::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| match error {
        app::Error::Internal(error) => error,
        other => anyhow::anyhow!("{}", other.problem()),
    })
}

async fn run_sandbox(listen: SocketAddr) -> anyhow::Result<()> {
    let running = sandbox::serve(listen, Arc::new(SystemClock::new()), Arc::new(SystemRng))
        .await
        .with_context(|| format!("{listen} can't be listened on"))?;
    println!("sandbox at {}", running.url);
    println!("  its issuer is that address, which a browser shows more at");
    println!("  client id       demo");
    println!("  client secret   demo-secret");
    println!("  let Regrant call it with REGRANT_ALLOW_PRIVATE_NETWORKS=true");
    start::asked_to_stop().await;
    running.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    /// Each has one place to listen, and its own.
    #[test]
    fn a_sandbox_has_one_address_to_listen_on() {
        let mut cli = Cli::command();
        cli.build();
        let sandbox = cli.find_subcommand_mut("sandbox").unwrap();
        let help = sandbox.render_long_help().to_string();
        assert_eq!(help.matches("--listen ").count(), 1, "{help}");
        for (line, wanted) in [
            (vec!["regrant", "sandbox"], "127.0.0.1:4400"),
            (vec!["regrant", "sandbox", "--listen", "127.0.0.1:9"], "127.0.0.1:9"),
        ] {
            let Command::Sandbox { sandbox_listen } = Cli::parse_from(line).command else {
                panic!("another command")
            };
            assert_eq!(sandbox_listen.to_string(), wanted);
        }
        let serve = Cli::parse_from(["regrant", "serve"]);
        assert_eq!(serve.config.listen.to_string(), "127.0.0.1:3000");
    }

    fn refused(line: &[&str]) -> String {
        let read = Cli::try_parse_from(line).map(drop);
        read.expect_err("a refusal").to_string()
    }

    #[test]
    fn a_refusal_names_the_roles_and_the_scopes() {
        let odd = refused(&["regrant", "user", "create", "--email", "a@b.c", "--role", "foo"]);
        for role in UserRole::ALL {
            assert!(odd.contains(role.as_str()), "{odd}");
        }
        let odd = refused(&["regrant", "api-key", "create", "--name", "a", "--scope", "foo"]);
        for scope in Scope::ALL {
            assert!(odd.contains(scope.as_str()), "{odd}");
        }
        let fine =
            ["regrant", "api-key", "create", "--name", "a", "--scope", "tokens:read", "admin"];
        assert!(Cli::try_parse_from(fine).is_ok());
    }
}
