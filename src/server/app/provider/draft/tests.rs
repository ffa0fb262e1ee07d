use super::*;
use crate::server::provider::Catalog;

#[test]
fn every_preset_comes_back_from_every_view() {
    let catalog = Catalog::load(None).unwrap();
    for profile in catalog.iter() {
        for view in View::ALL {
            let mut content = show(profile, view).unwrap();
            if let Content::Form(form) = &content {
                let again = Form::read(&schema::profile(), &form.pairs());
                assert_eq!(again, **form, "{}", profile.slug);
                content = Content::Form(Box::new(again));
            }
            let again = read(view, &content).unwrap().whole().unwrap();
            assert_eq!(&again, profile, "{} as {view:?}", profile.slug);
        }
    }
}

#[test]
fn what_can_not_be_read_says_where_it_is_wrong() {
    let wrong = |view: View, text: &str| {
        let fields = match read(view, &Content::Text(text.into())) {
            Ok(reading) => reading.problems,
            Err(Error::Invalid(fields)) => fields,
            Err(error) => panic!("{error:?}"),
        };
        let [field] = fields.as_slice() else { panic!("{fields:?}") };
        (field.field.clone(), field.message.clone())
    };
    let (field, message) = wrong(View::Json, "{\n\"slug\": }");
    assert_eq!(field, "text");
    assert!(message.contains("line 2"), "{message}");
    let (field, message) = wrong(View::Toml, "slug = \"a\"\nname = \n");
    assert_eq!(field, "text");
    assert!(message.contains("line 2"), "{message}");
    let json = r#"{"slug":"a","name":"A","variables":[{"name":"a","label":"A","colour":1}]}"#;
    assert_eq!(wrong(View::Json, json).0, "variables[0].colour");
    let toml = "slug = \"a\"\nname = \"A\"\n[lifetimes]\naccess_seconds = -1\n";
    assert_eq!(wrong(View::Toml, toml).0, "lifetimes.access_seconds");
    let (field, message) = wrong(View::Toml, "slug = \"a\"");
    assert_eq!((&*field, &*message), ("name", "must be there"));
    // Nothing that only a programmer understands.
    let json = r#"{"slug":"a","name":"A","lifetimes":{"access_seconds":"an hour"}}"#;
    assert_eq!(wrong(View::Json, json).1, "must be a whole number");
    let json = r#"{"slug":"a","name":"A","authorization":{"pkce":7}}"#;
    assert!(!wrong(View::Json, json).1.contains("map"));
}
