use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::{DERIVED, Golden, derive::derive};
use crate::server::provider::Catalog;

fn room(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/provider").join(name)
}

fn slugs(folder: &Path, extension: &str) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_preset_matches_its_golden_file() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let catalog = Catalog::load(Some(&room("catalog"))).unwrap();
    let (presets, files) = (slugs(&room("catalog"), "toml"), slugs(&room("golden"), "txt"));
    let mut complaints: Vec<String> = files
        .difference(&presets)
        .map(|slug| format!("golden/{slug}.txt is of no preset"))
        .collect();
    for slug in &presets {
        let path = room("golden").join(format!("{slug}.txt"));
        let Ok(text) = fs::read_to_string(&path) else {
            complaints.push(format!(
                "golden/{slug}.txt is missing: begin it with `# <where the sample is from>` and \
                 `--- sample response`, then run with UPDATE_GOLDEN=1"
            ));
            continue;
        };
        let by_hand = text.split(DERIVED).next().unwrap_or_default().trim_end();
        let fresh = match Golden::read(by_hand)
            .and_then(|golden| derive(catalog.find(slug).unwrap(), &golden))
        {
            Ok(derived) => format!("{by_hand}\n\n{DERIVED}\n{derived}"),
            Err(why) => {
                complaints.push(format!("golden/{slug}.txt: {why}"));
                continue;
            }
        };
        if update {
            fs::write(&path, &fresh).unwrap();
        } else if text != fresh {
            complaints.push(format!("golden/{slug}.txt is stale:\n{}", difference(&text, &fresh)));
        }
    }
    assert!(
        complaints.is_empty(),
        "{}\n\nIf the new text is right, UPDATE_GOLDEN=1 writes it.",
        complaints.join("\n\n")
    );
}

/// The macro that embeds the folder is not run again when a file is added to it.
#[test]
fn the_binary_holds_what_the_folder_holds() {
    let embedded: BTreeSet<_> =
        Catalog::load(None).unwrap().iter().map(|profile| profile.slug.clone()).collect();
    assert_eq!(
        embedded,
        slugs(&room("catalog"), "toml"),
        "the build is older than the folder: touch src/server/provider/catalog/mod.rs"
    );
}

/// The categories there are. A new one is worth a thought: people filter by them.
const CATEGORIES: [&str; 26] = [
    "accounting",
    "ads",
    "calendar",
    "chat",
    "code",
    "commerce",
    "compliance",
    "crm",
    "data",
    "design",
    "developer",
    "documents",
    "generic",
    "health",
    "hr",
    "identity",
    "marketing",
    "media",
    "meetings",
    "other",
    "payments",
    "productivity",
    "storage",
    "suite",
    "support",
    "ticketing",
];

#[test]
fn every_preset_says_where_its_facts_are_and_how_to_register() {
    // Their documents are not on the web, or they are for any server.
    let without =
        ["apiax", "cronofy", "eventix", "generic-oauth2", "generic-oidc", "partner-api", "wetix"];
    for profile in Catalog::load(Some(&room("catalog"))).unwrap().iter() {
        let slug = profile.slug.as_str();
        let category = profile.category.as_deref().unwrap_or_default();
        assert!(CATEGORIES.contains(&category), "{slug}: {category:?}");
        if without.contains(&slug) {
            continue;
        }
        assert!(profile.links.docs.is_some(), "{slug} has no links.docs");
        assert!(profile.links.register_client.is_some(), "{slug} has no links.register_client");
        assert!(profile.notes.is_some(), "{slug} has no notes");
    }
}

/// The lines between what two texts have in common at both ends.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = old.iter().zip(&new).take_while(same).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
    let mut text = format!("@@ line {} @@\n", head + 1);
    for line in old[head.saturating_sub(2)..head].iter() {
        let _ = writeln!(text, "  {line}");
    }
    for line in &old[head..old.len() - tail] {
        let _ = writeln!(text, "- {line}");
    }
    for line in &new[head..new.len() - tail] {
        let _ = writeln!(text, "+ {line}");
    }
    for line in new[new.len() - tail..].iter().take(2) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

#[test]
fn a_difference_is_told_by_its_lines() {
    assert_eq!(
        difference("a\nb\nc\nd\ne\n", "a\nb\nx\nd\ne\n"),
        "@@ line 3 @@\n  a\n  b\n- c\n+ x\n  d\n  e\n"
    );
}
