//! Templates filled for one registration.

use url::Url;

use super::{Error, Registration};
use crate::domain::provider::{FieldError, template};

impl<'a> Registration<'a> {
    /// A template filled with the registration's variables. None: a variable that may be empty is.
    pub(super) fn fill(&self, text: &str) -> Result<Option<String>, Error> {
        self.fill_with(text, None)
    }

    /// Like [`Self::fill`], with `{client_secret}` known.
    pub(super) fn fill_with(
        &self,
        text: &str,
        secret: Option<&'a str>,
    ) -> Result<Option<String>, Error> {
        let lookup = |name: &str| match name {
            "client_id" => Some(self.client_id),
            "redirect_uri" => Some(self.redirect_uri),
            "client_secret" => secret,
            name => self.profile.variable(name)?.value(self.variables),
        };
        match template::fill(text, lookup) {
            Ok(text) => Ok(Some(text)),
            Err(template::TemplateError::Missing(name))
                if self.profile.variable(&name).is_some_and(|variable| variable.optional) =>
            {
                Ok(None)
            }
            Err(template::TemplateError::Missing(name)) => {
                Err(Error::Invalid(vec![FieldError::new(
                    format!("variables.{name}"),
                    "has no value",
                )]))
            }
            Err(error) => Err(Error::Invalid(vec![FieldError::new(text, error.to_string())])),
        }
    }

    /// An endpoint's address. `name` is for the error.
    pub(super) fn endpoint(
        &self,
        name: &'static str,
        template: Option<&str>,
    ) -> Result<Url, Error> {
        let template = template.ok_or(Error::NoEndpoint(name))?;
        let text = self.fill(template)?.ok_or(Error::NoEndpoint(name))?;
        Url::parse(&text).map_err(|error| {
            let message = format!("{text} is no address: {error}");
            Error::Invalid(vec![FieldError::new(format!("endpoints.{name}"), message)])
        })
    }

    /// The issuer, if the profile knows it.
    pub fn issuer(&self) -> Result<Option<String>, Error> {
        match &self.profile.issuer {
            Some(template) => self.fill(template),
            None => Ok(None),
        }
    }

    /// The scopes as one string.
    pub(super) fn scope(&self) -> Option<String> {
        (!self.scopes.is_empty())
            .then(|| self.scopes.join(&self.profile.authorization.scope_separator))
    }

    /// Whether an id token is asked for (OpenID Connect Core section 3.1.2.1).
    pub(super) fn asks_for_id_token(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "openid")
    }
}
