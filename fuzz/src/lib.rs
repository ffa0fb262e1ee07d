//! The rooms under test, and the presets as cases.

#![allow(dead_code, unused_imports)]

#[path = "../../src/domain/mod.rs"]
pub mod domain;
pub mod input;
pub mod server;

use std::path::Path;

use server::provider::{Catalog, probe::Case};

/// Every preset with the samples of its golden file, in the order of their slugs.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/server/provider/golden");
    let catalog = Catalog::load(None).expect("presets");
    let case = |profile: &domain::provider::Profile| {
        let path = folder.join(format!("{}.txt", profile.slug));
        let golden = std::fs::read_to_string(&path).expect("a golden file");
        Case::new(profile.clone(), &golden).unwrap_or_else(|why| panic!("{}: {why}", profile.slug))
    };
    catalog.iter().map(case).collect()
}
