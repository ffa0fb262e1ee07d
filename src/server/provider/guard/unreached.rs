//! Why no connection came about, in words for people: each kind of failure asks for something else.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

use rustls::CertificateError;
use url::Url;

use super::causes;

/// What stands in the way of a connection to `url`.
pub(super) fn why(url: &Url, error: &reqwest::Error) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let at = format!("{host} (port {port})");
    let found: Vec<Cause<'_>> = causes(error).flat_map(unwrapped).collect();
    for cause in &found {
        if let Cause::Tls(error) = cause {
            return tls(&at, host, error);
        }
    }
    if error.is_dns() {
        let passing = found.iter().any(|cause| cause.says("temporary failure"));
        return match passing {
            true => format!("the name {host} could not be looked up just now (DNS)"),
            false => format!("the name {host} was not found (DNS): is it spelt right?"),
        };
    }
    let kind = found.iter().find_map(|cause| match cause {
        Cause::Io(error) if error.kind() != ErrorKind::Other => Some(error.kind()),
        _ => None,
    });
    match kind {
        Some(ErrorKind::ConnectionRefused) => {
            format!("{at} refused the connection: nothing listens there")
        }
        Some(ErrorKind::TimedOut) => silent(&at),
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            format!("no way leads from here to {at}: is a firewall in between?")
        }
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            format!("{at} broke the connection off before anything was sent")
        }
        _ if error.is_timeout() => silent(&at),
        _ => {
            let last = causes(error).last().map(ToString::to_string).unwrap_or_default();
            format!("no connection to {at} came about ({last})")
        }
    }
}

fn silent(at: &str) -> String {
    format!("{at} did not answer in time: is a firewall in between?")
}

fn tls(at: &str, host: &str, error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("the certificate of {at} is not trusted: whoever signed it is not known here")
        }
        Tls::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => format!("the certificate of {at} has expired"),
        Tls::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => format!("the certificate of {at} is not valid yet: is a clock wrong?"),
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the certificate of {at} is for another name than {host}"),
        Tls::InvalidCertificate(_) => format!("the certificate of {at} is not trusted"),
        Tls::InvalidMessage(_) => format!("{at} does not speak https"),
        _ => format!("{at} and Regrant could not agree on TLS ({error})"),
    }
}

enum Cause<'a> {
    Io(&'a io::Error),
    Tls(&'a rustls::Error),
    Other(&'a (dyn Error + 'static)),
}

impl Cause<'_> {
    fn says(&self, words: &str) -> bool {
        let text = match self {
            Self::Io(error) => error.to_string(),
            Self::Tls(error) => error.to_string(),
            Self::Other(error) => error.to_string(),
        };
        text.to_lowercase().contains(words)
    }
}

/// An error, and what stands in it where it is an I/O error: that hides what it was made of from those who ask for
/// its source.
fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> Vec<Cause<'a>> {
    let mut found = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next.take() {
        if let Some(outer) = error.downcast_ref::<io::Error>() {
            found.push(Cause::Io(outer));
            next = outer.get_ref().map(|inner| inner as &(dyn Error + 'static));
        } else if let Some(inner) = error.downcast_ref::<rustls::Error>() {
            found.push(Cause::Tls(inner));
        } else {
            found.push(Cause::Other(error));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_told() {
        for (error, told) in [
            (
                CertificateError::UnknownIssuer,
                "is not trusted: whoever signed it is not known here",
            ),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidYet, "is not valid yet"),
            (CertificateError::NotValidForName, "is for another name than a.example"),
            (CertificateError::Revoked, "is not trusted"),
        ] {
            let error = rustls::Error::InvalidCertificate(error);
            let outer = io::Error::new(ErrorKind::InvalidData, error.clone());
            let outer = io::Error::other(outer);
            assert!(unwrapped(&outer).iter().any(|cause| matches!(cause, Cause::Tls(_))));
            let why = tls("a.example (port 443)", "a.example", &error);
            assert!(why.starts_with("the certificate of a.example (port 443) "), "{why}");
            assert!(why.contains(told), "{why}");
        }
    }
}
