//! What an operator can set, by environment or by flag of the same name.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use ipnet::IpNet;
use secrecy::SecretString;
use url::{Host, Url};

// No Debug: it holds the master key.
#[derive(Args, Clone)]
pub struct Config {
    /// A PostgreSQL database; without it Regrant runs one of its own in the data folder
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true)]
    database_url: Option<String>,
    /// Where to listen
    #[arg(long, env = "REGRANT_LISTEN", global = true, default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Where browsers reach Regrant; redirect URIs are made of it
    #[arg(long, env = "REGRANT_PUBLIC_URL", global = true)]
    public_url: Option<Url>,
    /// Where the private database, the master key and the journal live
    #[arg(long, env = "REGRANT_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// The file with the master key: 32 bytes in base64, mode 0600; made at the first start
    #[arg(long, env = "REGRANT_MASTER_KEY_FILE", global = true)]
    pub master_key_file: Option<PathBuf>,
    /// The master key itself; a file is safer
    #[arg(long, env = "REGRANT_MASTER_KEY", global = true, hide_env_values = true)]
    master_key: Option<String>,
    /// A folder with further provider presets
    #[arg(long, env = "REGRANT_PROVIDERS_DIR", global = true)]
    pub providers_dir: Option<PathBuf>,
    /// Lets Regrant call private addresses, and http on loopback
    #[arg(
        long,
        env = "REGRANT_ALLOW_PRIVATE_NETWORKS",
        global = true,
        default_value_t = false,
        num_args = 0..=1,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub allow_private_networks: bool,
    /// The addresses or networks of proxies in front of Regrant, by commas; their X-Forwarded-For is
    /// believed, so that the login limit counts browsers
    #[arg(long, env = "REGRANT_TRUSTED_PROXIES", global = true, value_delimiter = ',')]
    trusted_proxies: Vec<String>,
    /// For how many days the history of refreshes is kept
    #[arg(
        long,
        env = "REGRANT_HISTORY_DAYS",
        global = true,
        default_value_t = 90,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub history_days: u16,
    /// What to log, e.g. `info` or `regrant=debug`
    #[arg(long, env = "REGRANT_LOG", global = true, default_value = "info")]
    pub log: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "REGRANT_PUBLIC_URL is {0}: over plain http sessions can be stolen, so only a loopback \
         address may use it; put a TLS proxy in front and name its https address"
    )]
    Plain(Url),
    #[error("REGRANT_PUBLIC_URL is {0}: it must be an http or https address without a path")]
    Shape(Url),
    #[error("set REGRANT_PUBLIC_URL: {0} is no address that a browser could reach")]
    Unknown(SocketAddr),
    #[error("REGRANT_TRUSTED_PROXIES: {0} is not an address, nor a network like 10.0.0.0/8")]
    Proxy(String),
    #[error("set REGRANT_DATA_DIR: there is no home folder to put the data in")]
    Homeless,
}

impl Config {
    /// The database to use; `None`: a private one.
    pub fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref().filter(|url| !url.trim().is_empty())
    }

    /// The master key that was given as text.
    pub fn master_key(&self) -> Option<SecretString> {
        self.master_key.clone().filter(|key| !key.trim().is_empty()).map(Into::into)
    }

    /// Where browsers reach us. Sessions need TLS, except on this very machine.
    pub fn public_url(&self) -> Result<Url, Error> {
        let url = match &self.public_url {
            Some(url) => url.clone(),
            None if self.listen.ip().is_unspecified() => return Err(Error::Unknown(self.listen)),
            None => Url::parse(&format!("http://{}", self.listen))
                .map_err(|_| Error::Unknown(self.listen))?,
        };
        if url.host().is_none() || url.path() != "/" || url.query().is_some() {
            return Err(Error::Shape(url));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            "http" => Err(Error::Plain(url)),
            _ => Err(Error::Shape(url)),
        }
    }

    /// Whose `X-Forwarded-For` is believed, besides this machine's.
    pub fn trusted_proxies(&self) -> Result<Vec<IpNet>, Error> {
        let named = self.trusted_proxies.iter().map(|text| text.trim());
        named
            .filter(|text| !text.is_empty())
            .map(|text| {
                text.parse()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| Error::Proxy(text.to_owned()))
            })
            .collect()
    }

    /// The data folder: as root one that the database's user can reach.
    pub fn data_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = self.data_dir.clone().filter(|dir| !dir.as_os_str().is_empty()) {
            return Ok(dir);
        }
        if nix::unistd::Uid::effective().is_root() {
            return Ok("/var/lib/regrant".into());
        }
        let of =
            |name: &str| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
        of("XDG_DATA_HOME")
            .or_else(|| of("HOME").map(|home| home.join(".local/share")))
            .map(|base| base.join("regrant"))
            .ok_or(Error::Homeless)
    }

    /// The same settings, with the data kept apart under `name`.
    pub fn apart(mut self, name: &str) -> Result<Self, Error> {
        self.data_dir = Some(self.data_dir()?.join(name));
        Ok(self)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn public_url(flags: &[&str]) -> Result<Url, Error> {
        let flags = std::iter::once(&"regrant").chain(flags);
        Cli::try_parse_from(flags).map(|cli| cli.config).unwrap().public_url()
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let read = |list| {
            let cli = Cli::try_parse_from(["regrant", "--trusted-proxies", list]).unwrap();
            cli.config.trusted_proxies()
        };
        assert_eq!(read("").unwrap(), []);
        let trusted = read("10.1.2.3, fd00::/8").unwrap();
        assert_eq!(trusted, ["10.1.2.3/32", "fd00::/8"].map(|text| text.parse().unwrap()));
        assert!(read("proxy.example").is_err());
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        assert_eq!(public_url(&[]).unwrap().as_str(), "http://127.0.0.1:3000/");
        assert!(public_url(&["--public-url", "http://localhost:8080"]).is_ok());
        assert!(public_url(&["--public-url", "https://regrant.example"]).is_ok());
        let plain = public_url(&["--public-url", "http://regrant.example"]);
        assert!(matches!(plain, Err(Error::Plain(_))));
        let path = public_url(&["--public-url", "https://example.com/regrant"]);
        assert!(matches!(path, Err(Error::Shape(_))));
        assert!(matches!(public_url(&["--listen", "0.0.0.0:3000"]), Err(Error::Unknown(_))));
    }
}
