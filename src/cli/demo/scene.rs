//! What there is and what happens: the services, their files, and the story minute by minute. Nothing here decides
//! what the agent does; what it should come to is in [`super::expect`].

use crate::domain::time::Time;

/// Minute 0 of the story: 2 March 2026, 09:00 UTC. It is fixed so that every run makes the same commits.
pub(super) const START: Time = Time::from_unix(1_772_442_000);
/// The minute of the last pass.
pub(super) const LAST_MINUTE: i64 = 57;
/// How long before minute 0 the first commit was made.
pub(super) const FIRST_COMMIT_SECS_BEFORE: i64 = 5 * 3_600;

/// The moment so many minutes into the story.
pub(super) const fn minute(minute: i64) -> Time {
    START.plus_secs(minute * 60)
}

/// A service and the file that says which version of it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// What kind of file it is, for people.
    pub(super) kind: &'static str,
    pub(super) path: &'static str,
    /// The file's text, with `@name@` and `@version@` where it is a template.
    text: &'static str,
    /// What stands before the version in the file.
    prefix: &'static str,
    version: &'static str,
    /// Whether it has metrics.
    pub(super) measured: bool,
}

const DEPLOYMENT: &str = include_str!("files/deployment.yaml");

const fn plain(
    name: &'static str,
    path: &'static str,
    prefix: &'static str,
    version: &'static str,
) -> Service {
    Service { name, kind: "Deployment", path, text: DEPLOYMENT, prefix, version, measured: true }
}

/// Everything that runs in the cluster.
pub(super) const SERVICES: [Service; 11] = [
    plain("cart", "apps/cart/deployment.yaml", "/cart:", "5.3.0"),
    Service {
        name: "catalog",
        kind: "kustomization",
        path: "apps/catalog/kustomization.yaml",
        text: include_str!("files/catalog.yaml"),
        prefix: "newTag: ",
        version: "v3.8.1",
        measured: true,
    },
    Service {
        name: "checkout",
        kind: "Helm values",
        path: "apps/checkout/values.yaml",
        text: include_str!("files/checkout.yaml"),
        prefix: "tag: \"",
        version: "2.14.3",
        measured: true,
    },
    plain("gateway", "apps/gateway/deployment.yaml", "/gateway:", "7.0.4"),
    Service { measured: false, ..plain("mailer", "apps/mailer/deployment.yaml", "/mailer:", "0.9.2") },
    plain("orders", "apps/orders/deployment.yaml", "/orders:", "1.7.4"),
    Service {
        name: "payments",
        kind: "HelmRelease of Flux",
        path: "apps/payments/release.yaml",
        text: include_str!("files/payments.yaml"),
        prefix: "tag: ",
        version: "4.1.2",
        measured: true,
    },
    plain("profile", "apps/profile/deployment.yaml", "/profile:", "6.2.0"),
    plain("reviews", "apps/reviews/deployment.yaml", "/reviews:", "2.0.1"),
    Service {
        name: "search",
        kind: "Application of Argo CD",
        path: "apps/search/application.yaml",
        text: include_str!("files/search.yaml"),
        prefix: "tag: ",
        version: "0.41.2",
        measured: true,
    },
    plain("shipping", "apps/shipping/deployment.yaml", "/shipping:", "3.1.7"),
];

impl Service {
    /// The file at the start of the story.
    pub(super) fn first_text(&self) -> String {
        self.text.replace("@name@", self.name).replace("@version@", self.version)
    }

    /// The version that the file's text deploys.
    pub(super) fn version_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let (_, rest) = text.split_once(self.prefix)?;
        rest.split(['"', ' ', '\n']).next()
    }

    /// The file's text with another version.
    pub(super) fn with_version(&self, text: &str, version: &str) -> Option<String> {
        let now = self.version_in(text)?;
        Some(text.replacen(&format!("{}{now}", self.prefix), &format!("{}{version}", self.prefix), 1))
    }
}

/// The service of that name.
pub(super) fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// Who makes a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author(pub(super) &'static str, pub(super) &'static str);

const FLUX: Author = Author("flux-image-automation[bot]", "flux@shop.example");
const RENOVATE: Author = Author("renovate[bot]", "renovate@shop.example");
const ANA: Author = Author("Ana Ruiz", "ana@shop.example");
const JONAS: Author = Author("Jonas Weber", "jonas@shop.example");
const PRIYA: Author = Author("Priya Nair", "priya@shop.example");

/// Who set the repo up.
pub(super) const FIRST_AUTHOR: Author = PRIYA;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Another version goes out, perhaps with a new file beside it.
    Deploy { service: &'static str, to: &'static str, by: Author, with: Option<(&'static str, &'static str)> },
    /// A commit that deploys nothing: in the service's file one text becomes another.
    Edit { service: &'static str, from: &'static str, to: &'static str, by: Author, subject: &'static str },
    /// Something outside of the repo; the cluster knows it too.
    Aside(&'static str),
}

const fn deploy(service: &'static str, to: &'static str, by: Author) -> Act {
    Act::Deploy { service, to, by, with: None }
}

const MIGRATION: (&str, &str) = (
    "apps/orders/migrations/0042_split_address.sql",
    "ALTER TABLE orders ADD COLUMN street text;\nALTER TABLE orders DROP COLUMN address;\n",
);

/// The minute from which on profile has errors, whatever version of it runs.
pub(super) const PROFILE_FAULT_FROM: i64 = 27;
/// From which minute to which the zone's network fails, for every service.
pub(super) const NETWORK_FAULT: (i64, i64) = (46, 55);

/// The story, in order.
pub(super) const STORY: [(i64, Act); 14] = [
    (1, deploy("payments", "4.2.0", FLUX)),
    (4, deploy("checkout", "2.15.0", RENOVATE)),
    (14, deploy("catalog", "v3.9.0", FLUX)),
    (16, deploy("mailer", "0.9.3", JONAS)),
    (19, Act::Deploy { service: "orders", to: "1.8.0", by: ANA, with: Some(MIGRATION) }),
    (26, Act::Aside("Ana mends orders with a version that fits the new schema")),
    (26, deploy("orders", "1.8.1", ANA)),
    (PROFILE_FAULT_FROM, Act::Aside("profile loses its identity provider; nothing was deployed")),
    (28, deploy("search", "0.42.0", RENOVATE)),
    (
        29,
        Act::Edit {
            service: "search",
            from: "replicas: 3",
            to: "replicas: 5",
            by: PRIYA,
            subject: "search: 3 → 5 replicas",
        },
    ),
    (32, deploy("profile", "6.2.1", JONAS)),
    (43, deploy("reviews", "2.1.0", RENOVATE)),
    (NETWORK_FAULT.0, Act::Aside("packets get lost in the zone; every service has errors")),
    (NETWORK_FAULT.1, Act::Aside("the zone's network is back")),
];

/// How much worse than usual a version is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Harm {
    /// The share of failures that it adds.
    pub(super) errors: f64,
    /// By how much it multiplies the latency.
    pub(super) slowdown: f64,
}

/// What is wrong with a version; nothing with most.
pub(super) fn harm(service: &str, version: &str) -> Harm {
    match (service, version) {
        ("checkout", "2.15.0") => Harm { errors: 0.13, slowdown: 1.0 },
        ("catalog", "v3.9.0") => Harm { errors: 0.0, slowdown: 3.2 },
        ("search", "0.42.0") => Harm { errors: 0.24, slowdown: 1.4 },
        ("orders", "1.8.0") => Harm { errors: 0.08, slowdown: 1.0 },
        _ => Harm { errors: 0.0, slowdown: 1.0 },
    }
}
