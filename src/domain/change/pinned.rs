//! A revert with its pins.

use std::collections::BTreeMap;

use super::plan::Undo;
use super::{AlreadyPinned, Change, Motive, Pins, message};
use crate::domain::deployment::Deployment;
use crate::domain::environment::pin_rules::PinRules;
use crate::domain::history::snapshot::Content;
use crate::domain::ids::FilePath;
use crate::domain::pin::Pin;
use crate::domain::pin::make::make;

/// What a revert keeps out: what it takes back up to the bad deployment, newest first. What came before that was not bad.
#[must_use]
pub fn kept_out<'a>(undo: &Undo<'a>) -> &'a [Deployment] {
    let own = undo.changes.iter().position(|change| change.commit == undo.bad.commit);
    own.and_then(|own| undo.changes.get(..=own)).unwrap_or(std::slice::from_ref(undo.bad))
}

/// The revert with its pins in the same commit. `texts` are the files that can hold pins, as they are at the branch's head. `stood_before`
/// says whether a pin that is there now was there in the commit of the bad deployment.
#[must_use]
pub fn with_pins(
    mut change: Change,
    undo: &Undo<'_>,
    motive: Motive<'_>,
    rules: &PinRules,
    mut texts: BTreeMap<FilePath, String>,
    stood_before: &dyn Fn(&Pin) -> bool,
) -> Change {
    // Where the revert changes such a file too, the pin is written on top.
    for (path, content) in &change.files {
        let text =
            content.as_ref().and_then(Content::bytes).and_then(|bytes| std::str::from_utf8(bytes).ok());
        match text {
            Some(text) if texts.contains_key(path) => drop(texts.insert(path.clone(), text.to_owned())),
            Some(_) => {}
            None => drop(texts.remove(path)),
        }
    }
    let made = make(rules, undo.bad, kept_out(undo), &texts);
    let files = made.files.into_iter().map(|(path, text)| (path, Some(text.into_bytes().into())));
    change.files.extend(files);
    let until = (!made.pins.is_empty()).then(|| change.at.plus_secs(rules.for_secs.into()));
    let ignored = |pin: &Pin| stood_before(pin).then(|| undo.bad.author.name.clone());
    let already = made.already.into_iter().map(|pin| AlreadyPinned { ignored_by: ignored(&pin), pin });
    change.pins = Pins { made: made.pins, until, already: already.collect(), without: made.without };
    change.message = message::compose(&change, undo.bad, motive);
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::plan::tests::deployment;
    use crate::domain::change::plan::{Target, plan};
    use crate::domain::change::{Asked, Motive};
    use crate::domain::environment::pin_rules::{FluxPin, PinField};
    use crate::domain::environment::policy::Policy;
    use crate::domain::ids::CommitId;
    use crate::domain::time::Time;

    const MARKER: &str = "# {\"$imagepolicy\": \"flux-system:web:tag\"}";

    fn values(tag: &str, marker: &str) -> String {
        format!("image:\n  repository: registry.example.com/shop/web\n  tag: {tag} {marker}\n")
    }

    fn pinned_with(rules: &PinRules, (old, new): (&str, &str), texts: &[(&str, &str)]) -> Change {
        let bad = deployment(old, new);
        let path = bad.files[0].path.clone();
        let current = BTreeMap::from([(path, Some(new.as_bytes().to_vec().into()))]);
        let (branch, policy) = ("main".parse().unwrap(), Policy::default());
        let target = Target {
            branch: &branch,
            head: CommitId::from_bytes([9; 20]),
            current: &current,
            moved: &BTreeMap::new(),
            policy: &policy,
            now: Time::from_unix(1_000_100),
        };
        let motive = Motive::Request(Asked { who: "Ada", why: None });
        let change = plan(&bad, motive, &target).unwrap();
        let texts = texts.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned())).collect();
        with_pins(change, &Undo::from(&bad), motive, rules, texts, &|_| false)
    }

    /// The pins, or why there is none.
    fn shown(rules: &PinRules, values: (&str, &str), texts: &[(&str, &str)]) -> String {
        let change = pinned_with(rules, values, texts);
        let made = change.pins.made.iter().map(ToString::to_string);
        made.chain(change.pins.without.clone()).collect::<Vec<_>>().join("; ")
    }

    fn policy(name: &str) -> String {
        let (namespace, name) =
            name.split_once('/').map_or(("", name), |(namespace, name)| (namespace, name));
        let namespace =
            if namespace.is_empty() { String::new() } else { format!(", namespace: {namespace}") };
        format!(
            "kind: ImagePolicy\nmetadata: {{name: {name}{namespace}}}\nspec: {{policy: {{semver: {{range: 1.x}}}}}}\n"
        )
    }

    #[test]
    fn the_image_policy_is_the_one_that_the_marker_names() {
        let rules = PinRules { flux: Some(FluxPin::Exclude), ..PinRules::default() };
        let (old, new) = (values("1.4.2", MARKER), values("1.5.0", MARKER));
        let of = |texts: &[(&str, &str)]| shown(&rules, (&old, &new), texts);
        let (own, bare, other) = (policy("flux-system/web"), policy("web"), policy("apps/web"));
        for (texts, wanted) in [
            (vec![("a.yaml", own.as_str())], "flux-exclude 1.5.0 in a.yaml: flux-system/web"),
            (vec![("a.yaml", bare.as_str())], "flux-exclude 1.5.0 in a.yaml: web"),
            (
                vec![("a.yaml", own.as_str()), ("b.yaml", bare.as_str())],
                "flux-exclude 1.5.0 in a.yaml: flux-system/web",
            ),
            (
                vec![("a.yaml", own.as_str()), ("b.yaml", other.as_str())],
                "flux-exclude 1.5.0 in a.yaml: flux-system/web",
            ),
            (
                vec![("b.yaml", other.as_str())],
                "flux-exclude: there is no ImagePolicy flux-system/web in the repository",
            ),
            (
                vec![("a.yaml", bare.as_str()), ("b.yaml", bare.as_str())],
                "flux-exclude: there are 2 ImagePolicy flux-system/web, such as in a.yaml and b.yaml",
            ),
            (vec![], "flux-exclude: there is no ImagePolicy flux-system/web in the repository"),
        ] {
            assert_eq!(of(&texts), wanted, "{texts:?}");
        }
        let unmarked = (values("1.4.2", ""), values("1.5.0", ""));
        let told = shown(&rules, (&unmarked.0, &unmarked.1), &[("a.yaml", &own)]);
        assert_eq!(told, "flux-exclude: apps/web/values.yaml: no marker of Flux stands beside image.tag");
    }

    #[test]
    fn a_version_of_which_only_the_digest_changed_is_not_pinned() {
        let rules = PinRules { renovate: true, ..PinRules::default() };
        let tag =
            |digit: &str| format!("image: registry.example.com/shop/web:1.4.2@sha256:{}\n", digit.repeat(64));
        let told = shown(&rules, (&tag("a"), &tag("b")), &[("renovate.json", "{}")]);
        assert_eq!(
            told,
            "apps/web/values.yaml: image: the version 1.4.2 stayed the same, and the good state has it too"
        );
    }

    #[test]
    fn the_automation_is_the_one_whose_path_leads_to_the_file() {
        let rules = PinRules { flux: Some(FluxPin::Suspend), ..PinRules::default() };
        let (old, new) = (values("1.4.2", MARKER), values("1.5.0", MARKER));
        let automation = |name: &str, path: &str| {
            format!(
                "kind: ImageUpdateAutomation\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  interval: 5m\n  update: {{path: {path}}}\n"
            )
        };
        let of = |texts: &[(&str, &str)]| shown(&rules, (&old, &new), texts);
        let (apps, infra, all) =
            (automation("apps", "./apps"), automation("infra", "./app"), automation("all", "./"));
        assert_eq!(
            of(&[("a.yaml", &apps), ("b.yaml", &infra)]),
            "flux-suspend 1.5.0 in a.yaml: flux-system/apps"
        );
        assert_eq!(of(&[("a.yaml", &all)]), "flux-suspend 1.5.0 in a.yaml: flux-system/all");
        assert!(of(&[("a.yaml", &apps), ("b.yaml", &all)]).contains("there are 2 ImageUpdateAutomation"));
        let elsewhere = apps.replace("namespace: flux-system", "namespace: apps");
        assert!(of(&[("a.yaml", &elsewhere)]).contains("there is no ImageUpdateAutomation"));
    }

    #[test]
    fn the_application_is_the_one_that_runs_the_directory() {
        let rules = PinRules { argocd_image_updater: true, ..PinRules::default() };
        let (old, new) = (values("1.4.2", ""), values("1.5.0", ""));
        let application = |name: &str, list: &str, path: &str| {
            format!(
                "kind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\n  annotations:\n    argocd-image-updater.argoproj.io/image-list: {list}\nspec: {{source: {{path: {path}}}}}\n"
            )
        };
        let image = "app=registry.example.com/shop/web:~1";
        let own = application("web", &format!("{image}, side=registry.example.com/shop/side"), "apps/web");
        let of = |texts: &[(&str, &str)]| shown(&rules, (&old, &new), texts);
        let staging = application("web-staging", image, "staging/web");
        assert_eq!(
            of(&[("a.yaml", &own), ("b.yaml", &staging)]),
            "argocd-image-updater 1.5.0 in a.yaml: argocd/web app"
        );
        let none = "argocd-image-updater: there is no Application with an image list for apps/web/values.yaml in the repository";
        assert_eq!(of(&[("b.yaml", &staging)]), none);
        let sources =
            own.replace("{source: {path: apps/web}}", "{sources: [{path: charts}, {path: apps/web}]}");
        assert_eq!(of(&[("a.yaml", &sources)]), "argocd-image-updater 1.5.0 in a.yaml: argocd/web app");
        for list in ["registry.example.com/shop/web:~1", "app=registry.example.com/shop/other"] {
            let unsure = application("web", list, "apps/web");
            assert_eq!(
                of(&[("a.yaml", &unsure)]),
                "argocd-image-updater: a.yaml: it is not clear which image of argocd/web is meant, or it has no alias"
            );
        }
        assert!(
            of(&[("a.yaml", &own), ("c.yaml", &application("twin", image, "apps/web"))])
                .contains("there are 2 Application")
        );
    }

    #[test]
    fn several_tools_are_pinned_in_one_commit() {
        let field = PinField {
            file: "{service}/{environment}.yaml".to_owned(),
            key: "frozen".to_owned(),
            value: "{version}".to_owned(),
        };
        let rules = PinRules { renovate: true, field: Some(field), for_secs: 60, ..PinRules::default() };
        let texts = [
            ("renovate.json", "{}"),
            (".github/renovate.json", "{}"),
            ("web/production.yaml", "frozen: []\n"),
        ];
        let change = pinned_with(&rules, (&values("1.4.2", ""), &values("1.5.0", "")), &texts);
        let made: Vec<String> = change.pins.made.iter().map(ToString::to_string).collect();
        assert_eq!(
            made,
            [
                "renovate 1.5.0 in renovate.json: registry.example.com/shop/web",
                "field 1.5.0 in web/production.yaml: frozen"
            ]
        );
        let files: Vec<&str> = change.files.keys().map(FilePath::as_str).collect();
        assert_eq!(files, ["apps/web/values.yaml", "renovate.json", "web/production.yaml"]);
        assert_eq!(change.pins.until, Some(Time::from_unix(1_000_160)));
        for line in [
            "\nSo that no automation puts it back, it is pinned until 1970-01-12T13:49:20Z:\n",
            "\n- field 1.5.0 in web/production.yaml: frozen\n",
            "\nBackout-Pin: field 1.5.0 in web/production.yaml: frozen\n",
            "\nBackout-Pin-Until: 1970-01-12T13:49:20Z\n",
        ] {
            assert!(change.message.contains(line), "{}", change.message);
        }
        let plan = change.to_string();
        assert!(
            plan.contains(
                "\n  pinned until 1970-01-12T13:49:20Z: field 1.5.0 in web/production.yaml: frozen\n"
            ),
            "{plan}"
        );
    }
}
