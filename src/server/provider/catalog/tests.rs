use super::*;

#[test]
fn every_preset_is_valid_and_named_after_its_file() {
    let catalog = Catalog::load(None).unwrap();
    let files: Vec<_> = PRESETS
        .files()
        .filter(|file| is_preset(file.path()))
        .map(|file| file.path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(catalog.iter().count(), files.len());
    for slug in files {
        assert!(catalog.find(&slug).is_some(), "{slug}");
    }
}

#[test]
fn a_preset_survives_json() {
    for profile in Catalog::load(None).unwrap().iter() {
        let json = serde_json::to_string(profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), *profile);
        let toml = toml::to_string(profile).unwrap();
        assert_eq!(toml::from_str::<Profile>(&toml).unwrap(), *profile);
    }
}

#[test]
fn an_operators_directory_adds_and_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let own = r#"
        slug = "own"
        name = "Own"
        [endpoints]
        authorization = "https://own.example/authorize"
        token = "https://own.example/token"
    "#;
    std::fs::write(directory.path().join("own.toml"), own).unwrap();
    let google = own.replace("\"own\"", "\"google\"");
    std::fs::write(directory.path().join("google.toml"), google).unwrap();
    std::fs::write(directory.path().join("README.md"), "not a preset").unwrap();
    let catalog = Catalog::load(Some(directory.path())).unwrap();
    assert_eq!(catalog.find("own").unwrap().name, "Own");
    assert_eq!(catalog.find("google").unwrap().name, "Own");
}

#[test]
fn a_broken_file_is_named_with_its_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("slug = \"own\"\nname = \"Own\"\ntoken = 1", "unknown field `token`"),
        ("slug = \"own\"\nname = \"Own\"", "endpoints.token"),
    ];
    for (text, mistake) in cases {
        std::fs::write(directory.path().join("own.toml"), text).unwrap();
        let error = Catalog::load(Some(directory.path())).unwrap_err().to_string();
        assert!(error.contains("own.toml") && error.contains(mistake), "{error}");
    }
    assert!(Catalog::load(Some(&directory.path().join("absent"))).is_err());
}

#[test]
fn two_files_of_one_slug_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let google = PRESETS.get_file("google.toml").unwrap().contents();
    std::fs::write(directory.path().join("a.toml"), google).unwrap();
    std::fs::write(directory.path().join("b.toml"), google).unwrap();
    let error = Catalog::load(Some(directory.path())).unwrap_err().to_string();
    assert!(error.contains("b.toml") && error.contains("a.toml"), "{error}");
}
