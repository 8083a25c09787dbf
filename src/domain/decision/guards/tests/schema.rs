//! The table of the guard `schema change`.

use super::*;
use crate::domain::decision::guards::schema_change::{ChangedSchema, SchemaFinding};
use crate::domain::environment::policy::{SchemaDetector, SchemaPolicy};
use crate::domain::schema::effect::Effect;

fn changed(commit: Option<CommitId>, what: &str, (by, effect): (SchemaDetector, Effect)) -> ChangedSchema {
    ChangedSchema { commit, what: what.to_owned(), found: [SchemaFinding { by, effect }].into() }
}

fn none(policy: SchemaPolicy) -> SchemaChangeFacts {
    SchemaChangeFacts {
        policy,
        taken_back: Vec::new(),
        since: Vec::new(),
        of_images: Vec::new(),
        unseen_images: None,
        of_sources: Vec::new(),
        unseen_sources: None,
    }
}

pub(super) fn schema_change() -> Table {
    use Effect::{Contract, Expand, Unknown};
    use SchemaDetector::{Engines, Files, Images};
    use SchemaPolicy::{AllowExpand, Ignore, Manual};
    let own = |policy, found| {
        let own = changed(None, "changed it", found);
        Facts::SchemaChange(SchemaChangeFacts { taken_back: vec![own], ..none(policy) })
    };
    let lost = "escalate: it changed it: going back may lose data, so a person decides";
    let with = changed(Some(id(2)), "changed it", (Files, Contract));
    let since = |policy| {
        let since = changed(Some(id(3)), "db/2.sql", (Files, Contract));
        Facts::SchemaChange(SchemaChangeFacts { since: vec![since], ..none(policy) })
    };
    let of_images = |policy| {
        let found = changed(None, "the label `schema-version` of shop/web is 8 and was 7", (Images, Unknown));
        Facts::SchemaChange(SchemaChangeFacts { of_images: vec![found], ..none(policy) })
    };
    let unseen =
        SchemaChangeFacts { unseen_images: Some("r.example.com did not answer".to_owned()), ..none(Manual) };
    vec![
        (Facts::SchemaChange(none(Manual)), ""),
        (own(Manual, (Files, Expand)), lost),
        (own(AllowExpand, (Files, Expand)), ""),
        (own(AllowExpand, (Files, Unknown)), lost),
        (own(Ignore, (Files, Contract)), ""),
        (own(Ignore, (Engines, Unknown)), lost),
        (
            Facts::SchemaChange(SchemaChangeFacts { taken_back: vec![with], ..none(Manual) }),
            "escalate: 0202020202, which would be taken back with it, changed it: going back may lose data, so a person decides",
        ),
        (
            since(AllowExpand),
            "escalate: 0303030303 changed a database schema (db/2.sql) after the release that would run again was deployed: that may not run on it, so a person \
             decides",
        ),
        (since(Ignore), ""),
        (
            of_images(Manual),
            "escalate: its image needs another database schema (the label `schema-version` of shop/web is 8 and was 7): going back \
             may lose data, so a person decides",
        ),
        (of_images(Ignore), ""),
        (
            Facts::SchemaChange(unseen),
            "escalate: the labels of its images were not looked at, and its policy names the detector `images`: r.example.com did \
             not answer",
        ),
    ]
    .into_iter()
    .chain(of_the_source())
    .collect()
}

fn of_the_source() -> Table {
    use Effect::{Contract, Expand};
    use SchemaPolicy::{AllowExpand, Ignore, Manual};
    let found = |policy, effect| {
        let found = changed(None, "it touches db/2.sql", (SchemaDetector::Sources, effect));
        Facts::SchemaChange(SchemaChangeFacts { of_sources: vec![found], ..none(policy) })
    };
    let for_a_person = "escalate: its source changed a database schema since the release that would run again (it touches db/2.sql): \
                        going back may lose data, so a person decides";
    let unseen = SchemaChangeFacts { unseen_sources: Some("there is no tag v1".to_owned()), ..none(Manual) };
    vec![
        (found(Manual, Expand), for_a_person),
        (found(AllowExpand, Expand), ""),
        (found(AllowExpand, Contract), for_a_person),
        (found(Ignore, Contract), ""),
        (
            Facts::SchemaChange(unseen),
            "escalate: its source was not looked at, and its policy names the detector `sources`: there is no tag v1",
        ),
    ]
}
