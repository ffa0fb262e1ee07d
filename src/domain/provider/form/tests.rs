use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Change, Filled, Form, Kind};
use crate::domain::problem::FieldProblem;

/// A schema with every kind of field, written as `utoipa` writes it.
fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["name", "class"],
        "properties": {
            "name": { "type": "string", "description": "What it\nis called." },
            "note": { "type": ["string", "null"], "contentMediaType": "text/plain" },
            "seconds": { "type": ["integer", "null"], "minimum": 1 },
            "late": { "type": "boolean" },
            "scope": { "type": ["boolean", "null"] },
            "class": { "$ref": "#/$defs/Class" },
            "way": { "$ref": "#/$defs/Way", "description": "Which way." },
            "other_way": { "oneOf": [{ "$ref": "#/$defs/Way" }, { "type": "null" }] },
            "ways": { "type": "array", "items": { "$ref": "#/$defs/Way" } },
            "pointers": { "type": "array", "items": { "type": "string" }, "default": ["/a"] },
            "rules": { "type": "array", "items": { "$ref": "#/$defs/ErrorRule" } },
            "extra": { "type": "object", "additionalProperties": { "type": "string" } },
            "parameters": {
                "type": "object",
                "additionalProperties": { "$ref": "#/$defs/ErrorRule" }
            },
            "proof": { "oneOf": [{ "type": "null" }, { "$ref": "#/$defs/Proof" }] },
            "anything": {}
        },
        "$defs": {
            "Class": { "type": "string", "enum": ["one", "two"] },
            "Way": { "type": "string", "enum": ["there", "back"], "default": "back" },
            "ErrorRule": {
                "type": "object",
                "description": "One kind of refusal.",
                "properties": {
                    "code": { "type": ["string", "null"] },
                    "done": { "type": "boolean" }
                }
            },
            "Proof": {
                "type": "object",
                "properties": {
                    "key_id": { "type": ["string", "null"] },
                    "headers": {
                        "type": "object",
                        "additionalProperties": { "type": "string" }
                    }
                }
            }
        }
    })
}

fn whole() -> Value {
    json!({
        "name": "A",
        "note": "one\ntwo",
        "seconds": 60,
        "late": true,
        "scope": false,
        "class": "two",
        "way": "there",
        "other_way": "back",
        "ways": ["back", "there"],
        "pointers": ["/b", "/c"],
        "rules": [{ "code": "a", "done": true }, { "done": false }],
        "extra": { "b": "1", "a.b[0]": "" },
        "parameters": { "scope": { "code": "x", "done": false } },
        "proof": { "key_id": "k", "headers": { "x": "y" } },
        "anything": [1, { "a": null }]
    })
}

/// What a browser does to a form that nobody changes.
fn sent(form: &Form) -> Form {
    let pairs: Vec<_> =
        form.pairs().into_iter().map(|(name, text)| (name, text.replace('\n', "\r\n"))).collect();
    Form::read(&schema(), &pairs)
}

fn problem(field: &str) -> FieldProblem {
    FieldProblem::new(field, "wrong")
}

#[test]
fn each_field_is_of_the_kind_its_schema_says() {
    let form = Form::fill(&schema(), &json!({}));
    let field = |name: &str| form.field(name).unwrap().0;
    assert_eq!(field("name").help, "What it is called.");
    assert_eq!((field("name").required, field("note").required), (true, false));
    assert_eq!(field("other_way").label, "Other way");
    assert_eq!(field("way").help, "Which way.");
    let Kind::Rows(item) = &field("rules").kind else { panic!("{:?}", field("rules")) };
    assert_eq!((item.label.as_str(), item.help.as_str()), ("Error rule", "One kind of refusal."));
    assert!(matches!(field("note").kind, Kind::Text { optional: true, long: true }));
    assert!(matches!(field("other_way").kind, Kind::Choice { optional: true, .. }));
    assert!(matches!(field("ways").kind, Kind::Several { .. }));
    assert!(matches!(field("pointers").kind, Kind::Lines));
    assert!(matches!(field("extra").kind, Kind::Named(_)));
    assert!(
        matches!(&field("proof").kind, Kind::Perhaps(inner) if matches!(**inner, Kind::Group(_)))
    );
    assert!(matches!(field("anything").kind, Kind::Json));
}

#[test]
fn an_empty_form_holds_the_defaults() {
    let form = Form::fill(&schema(), &json!({ "name": "A" }));
    let text = |name: &str| form.field(name).unwrap().1.text().to_owned();
    assert_eq!(
        (text("way"), text("other_way"), text("class")),
        ("back".into(), "".into(), "".into())
    );
    assert_eq!(text("pointers"), "/a");
    let (field, filled) = form.field("pointers").unwrap();
    assert_eq!(&field.untouched(), filled);
    let (_, wrong) = form.value();
    assert_eq!(wrong.iter().map(|each| each.field.as_str()).collect::<Vec<_>>(), ["class"]);
}

#[test]
fn what_is_sent_unchanged_is_what_was_there() {
    let form = Form::fill(&schema(), &whole());
    let again = sent(&form);
    assert_eq!(again, form);
    assert_eq!(again.value(), (whole(), Vec::new()));
}

#[test]
fn a_form_keeps_what_makes_no_sense_and_says_where() {
    let mut pairs = Form::fill(&schema(), &whole()).pairs();
    let mut set = |name: &str, text: &str| {
        let pair = pairs.iter_mut().find(|(each, _)| each == name);
        pair.unwrap_or_else(|| panic!("no {name}")).1 = text.into();
    };
    set("seconds", "soon");
    set("class", "");
    set("anything", "{");
    set("extra[1]", "b");
    set("parameters[0]", "");
    let form = Form::read(&schema(), &pairs);
    let (_, wrong) = form.value();
    let fields: Vec<_> = wrong.iter().map(|each| each.field.as_str()).collect();
    assert_eq!(fields, ["seconds", "class", "extra[1]", "parameters[0]", "anything"]);
    assert_eq!(form.field("seconds").unwrap().1.text(), "soon");
    assert_eq!(form.pairs(), pairs);

    let pairs = [("seconds".to_owned(), "0".to_owned()), ("class".to_owned(), "three".to_owned())];
    let (_, wrong) = Form::read(&schema(), &pairs).value();
    assert_eq!(wrong[0].message, "must be at least 1");
    assert_eq!(wrong[1].message, "choose one of one, two");
}

#[test]
fn rows_come_and_go_and_move() {
    let mut form = Form::fill(&schema(), &whole());
    let add = |name: &str| Change::Add(name.into());
    assert_eq!(form.change(&add("rules")).as_deref(), Some("rules[2]"));
    assert_eq!(form.change(&add("extra")).as_deref(), Some("extra[2]"));
    assert_eq!(form.change(&add("proof")), None, "it is there");
    assert_eq!(form.change(&add("proof.headers")).as_deref(), Some("proof.headers[1]"));
    assert_eq!(form.change(&add("nothing")), None);
    let raise = Change::Raise("rules[1]".into());
    assert_eq!(form.change(&raise).as_deref(), Some("rules[0]"));
    assert_eq!(form.change(&Change::Raise("rules[0]".into())), None);
    assert_eq!(form.change(&Change::Remove("rules[7]".into())), None);
    let remove = Change::Remove("extra[0]".into());
    assert_eq!(form.change(&remove).as_deref(), Some("extra"));
    let form = sent(&form);
    let (value, _) = form.value();
    assert_eq!(
        value["rules"],
        json!([{ "done": false }, { "code": "a", "done": true }, { "done": false }])
    );
    assert_eq!(value["extra"], json!({ "a.b[0]": "" }), "a blank row is none");

    let mut form = form;
    assert_eq!(form.change(&Change::Remove("proof?".into())).as_deref(), Some("proof"));
    assert_eq!(sent(&form).value().0.get("proof"), None);
    assert_eq!(form.change(&add("proof")).as_deref(), Some("proof?"));
    assert_eq!(sent(&form).value().0["proof"], json!({ "headers": {} }));

    for change in [add("a.b"), raise, remove] {
        assert_eq!(Change::parse(&change.to_string()), Some(change));
    }
    assert_eq!(Change::parse("save"), None);
}

#[test]
fn a_row_that_is_gone_leaves_no_gap() {
    let name = |text: &str| (text.to_owned(), "on".to_owned());
    let form = Form::read(&schema(), &[name("rules[12]?"), name("rules[3]?"), name("rules[x]?")]);
    let (_, filled) = form.field("rules").unwrap();
    assert!(matches!(filled, Filled::Rows(rows) if rows.len() == 2), "{filled:?}");
}

#[test]
fn a_problem_is_told_where_its_path_leads() {
    let form = Form::fill(&schema(), &whole());
    let wrongs = form.wrongs(&[
        problem("name"),
        problem("pointers[1]"),
        problem("rules[1]"),
        problem("rules[0].code"),
        problem("extra.a.b[0]"),
        problem("extra[0]"),
        problem("parameters.scope.code"),
        problem("proof.algorithm"),
        problem("nothing.such"),
        problem(""),
    ]);
    let told: Vec<_> = wrongs.iter().collect();
    assert_eq!(
        told,
        [
            ("extra[0]", "wrong"),
            ("extra[1]", "wrong"),
            ("name", "wrong"),
            ("parameters[0].value.code", "wrong"),
            ("pointers", "line 2: wrong"),
            ("proof", "algorithm: wrong"),
            ("rules[0].code", "wrong"),
            ("rules[1]", "wrong"),
        ]
    );
    assert_eq!((wrongs.within("rules"), wrongs.within("extra"), wrongs.within("no")), (2, 2, 0));
    assert_eq!(wrongs.of("name"), ["wrong"]);
    assert_eq!(wrongs.elsewhere, [problem("nothing.such"), problem("")]);
}

/// Text as it can be stored, with what forms and this notation treat in ways of their own.
fn text() -> impl Strategy<Value = String> {
    let odd =
        ["", " ", "\"", "\"\"", "\"a\"", "\n", "a\nb", "\na", "[0]", ".", "?", "on", "null", "é"];
    prop_oneof![
        proptest::sample::select(odd.map(str::to_owned).to_vec()),
        "[^\r]{0,12}",
        proptest::collection::vec(proptest::sample::select(odd.to_vec()), 0..4)
            .prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_on_the_way(
        name in text(),
        note in proptest::option::of(text()),
        pointers in proptest::collection::vec(text(), 0..4),
        rules in proptest::collection::vec((proptest::option::of(text()), any::<bool>()), 0..4),
        extra in proptest::collection::btree_map(text().prop_filter("named", |t| !t.is_empty()), text(), 0..4),
        proof in proptest::option::of(proptest::option::of(text())),
        seconds in proptest::option::of(1..u64::MAX),
    ) {
        let mut value = json!({
            "name": name,
            "late": false,
            "class": "one",
            "way": "back",
            "ways": [],
            "pointers": pointers,
            "rules": [],
            "extra": extra,
            "parameters": {},
        });
        let mut put = |name: &str, given: Option<Value>| {
            if let Some(given) = given {
                value[name] = given;
            }
        };
        put("note", note.map(Value::from));
        put("seconds", seconds.map(Value::from));
        put("rules", Some(rules.into_iter().map(|(code, done)| match code {
            Some(code) => json!({ "code": code, "done": done }),
            None => json!({ "done": done }),
        }).collect()));
        put("proof", proof.map(|key| match key {
            Some(key) => json!({ "key_id": key, "headers": {} }),
            None => json!({ "headers": {} }),
        }));
        let form = Form::fill(&schema(), &value);
        prop_assert_eq!(&sent(&form), &form);
        prop_assert_eq!(form.value(), (value, Vec::new()));
    }

    /// Whatever is sent, something stands there, and sending it again changes nothing.
    #[test]
    fn any_pairs_make_a_form(
        pairs in proptest::collection::vec(
            (
                "(name|class|ways|rules|extra|proof|parameters)(\\[[0-9]{1,2}\\])?(\\.value|\\.code|\\.headers)?(\\[0\\])?\\??",
                text(),
            ),
            0..20,
        ),
    ) {
        let form = Form::read(&schema(), &pairs);
        prop_assert_eq!(&sent(&form), &form);
        let (_, problems) = form.value();
        let problems: Vec<_> =
            problems.into_iter().map(|each| FieldProblem::new(each.field, each.message)).collect();
        prop_assert_eq!(form.wrongs(&problems).elsewhere, []);
    }
}
