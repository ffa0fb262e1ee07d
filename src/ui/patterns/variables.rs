//! What a provider leaves to its clients or their connections to fill in.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::{
    domain::provider::Variable,
    ui::components::field::{Choice, Text, Trouble},
};

/// The fields of some variables, with the values they have.
pub fn fields<'a>(
    variables: impl IntoIterator<Item = &'a Variable>,
    values: &BTreeMap<String, String>,
    trouble: Trouble,
) -> Vec<AnyView> {
    variables.into_iter().map(|variable| field(variable, values, trouble)).collect()
}

pub fn field(variable: &Variable, values: &BTreeMap<String, String>, trouble: Trouble) -> AnyView {
    let name = format!("variables[{}]", variable.name);
    let problem_name = format!("variables.{}", variable.name);
    let value = values.get(&variable.name).or(variable.default.as_ref());
    let value = value.cloned().unwrap_or_default();
    let help = variable.help.clone().unwrap_or_default();
    let required = !variable.optional;
    if variable.choices.is_empty() {
        return view! {
            <Text
                name
                label=variable.label.clone()
                trouble
                required
                value
                help
                problem_name
                autocomplete="off"
            />
        }
        .into_any();
    }
    view! {
        <Choice
            name
            label=variable.label.clone()
            trouble
            required
            options=options(variable, &value)
            value
            help
            problem_name
        />
    }
    .into_any()
}

/// The choices, after an empty one where nothing has to be chosen, or nothing is yet.
pub fn options(variable: &Variable, value: &str) -> Vec<(String, String)> {
    let empty = match variable.optional {
        true => Some("none"),
        false => value.is_empty().then_some("Choose …"),
    };
    let empty = empty.map(|name| (String::new(), name.to_owned()));
    let choices = variable.choices.iter().map(|each| (each.value.clone(), each.label.clone()));
    empty.into_iter().chain(choices).collect()
}

/// A value as people know it.
pub fn shown(variable: &Variable, value: &str) -> String {
    let known = variable.choices.iter().find(|choice| choice.value == value);
    known.map_or(value, |choice| &choice.label).to_owned()
}
