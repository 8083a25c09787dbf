//! Telling commits of machines from those of people.

use crate::domain::history::snapshot::Person;

/// Names under which machines commit, whole names or the part of a mail address before `@`: delivery and update tools, and
/// what people call the accounts of their pipelines.
const KNOWN: [&str; 40] = [
    "argo cd",
    "argo-cd",
    "argocd",
    "argocd-image-updater",
    "atlantis",
    "automation",
    "azure devops",
    "azure pipelines",
    "bamboo",
    "bitbucket-pipelines",
    "buildkite",
    "cd",
    "ci",
    "ci-cd",
    "ci/cd",
    "cicd",
    "circleci",
    "codefresh",
    "concourse",
    "dependabot",
    "deployer",
    "drone",
    "flux",
    "fluxcd",
    "github actions",
    "github-actions",
    "gitlab",
    "gitlab ci",
    "gitlab-ci",
    "gitops",
    "harness",
    "jenkins",
    "kargo",
    "keel",
    "mend renovate",
    "renovate",
    "spinnaker",
    "teamcity",
    "tekton",
    "travis",
];

/// Whether a commit was made by a machine: by the names that machines go by, and those that the configuration adds, which
/// are compared without case. In doubt it was a person: a person's change is not fought, so that is the quiet way to be
/// wrong.
#[must_use]
pub fn is_automation(person: &Person, more: &[String]) -> bool {
    let name = person.name.trim().to_lowercase();
    let email = person.email.trim().to_lowercase();
    if more.iter().map(|one| one.trim().to_lowercase()).any(|one| one == name || one == email) {
        return true;
    }
    let local = email.split('@').next().unwrap_or("");
    let word_bot = |text: &str| text.split([' ', '-', '_', '.', '+']).any(|word| word == "bot");
    // `fluxcdbot` is a program, Jane Talbot is not.
    let one_word =
        name.ends_with("bot") && !name.contains(' ') && (local.ends_with("bot") || email.contains("noreply"));
    let whole = |text: &str, known: &str| {
        text.strip_prefix(known)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()) && !rest.contains(' '))
    };
    let known = |known: &&str| whole(&name, known) || local == *known;
    name.ends_with("[bot]")
        || local.ends_with("[bot]")
        || word_bot(&name)
        || word_bot(local)
        || one_word
        || KNOWN.iter().any(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_people() {
        for (name, email) in [
            ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com"),
            ("fluxcdbot", "fluxcdbot@users.noreply.github.com"),
            ("argocd-image-updater", "noreply@argoproj.io"),
            ("Jenkins", "jenkins@example.com"),
            ("deploy-bot", "x@example.com"),
        ] {
            let person = Person { name: name.to_owned(), email: email.to_owned() };
            assert!(is_automation(&person, &[]), "{name}");
        }
        for (name, email) in [
            ("Ada Lovelace", "ada@example.com"),
            ("Jane Talbot", "talbot@example.com"),
            ("talbot", "jt@example.com"),
            ("Keely Jones", "keely@example.com"),
            ("Tom", "jenkins.tom@example.com"),
            ("", ""),
        ] {
            let person = Person { name: name.to_owned(), email: email.to_owned() };
            assert!(!is_automation(&person, &[]), "{name}");
        }
    }

    #[test]
    fn the_configuration_adds_machines() {
        let person = Person { name: "Release Train".to_owned(), email: "train@example.com".to_owned() };
        assert!(!is_automation(&person, &[]));
        assert!(is_automation(&person, &["release train".to_owned()]));
        assert!(is_automation(&person, &["Train@example.com".to_owned()]));
        assert!(!is_automation(&person, &["train".to_owned()]));
    }
}
