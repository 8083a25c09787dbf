//! Values files made up at random in which a deployment adds a version, removes one, takes it by another name of YAML, writes it out, or
//! makes a mapping of an image: all of that goes back, also after other changes since, and nothing else does.

use backout::domain::field::{File, Selection, revert};

/// The same at each run: a finding names its seed.
const CASES: u64 = 3_000;

/// How a service says what it runs.
#[derive(Clone, Debug, PartialEq)]
enum Pin {
    /// `image: registry.example/web:v1.0.0`.
    Line(String),
    /// `image: {repository, tag}`, in lines of their own, with or without the tag.
    Map(Option<String>),
    /// The tag by a name of YAML: `stable` or `next`.
    Named(&'static str),
    /// All of the defaults by a merge, with a tag over it or not.
    Merged(Option<String>),
}

#[derive(Clone, Debug)]
struct Service {
    name: String,
    pin: Pin,
    replicas: u32,
}

#[derive(Clone, Debug)]
struct Made {
    stable: String,
    next: String,
    header: &'static str,
    services: Vec<Service>,
}

const NAMES: [&str; 8] = ["web", "api", "worker", "mailer", "ledger", "search", "gateway", "report"];

fn version(number: u32) -> String {
    format!("v1.{number}.0")
}

impl Made {
    fn new(random: &mut fastrand::Rng) -> Self {
        let mut names = NAMES;
        random.shuffle(&mut names);
        let services = names.iter().take(random.usize(2..=5)).map(|name| Service {
            name: (*name).to_owned(),
            pin: match random.u8(..6) {
                0 => Pin::Line(version(random.u32(0..3))),
                1 => Pin::Map(Some(version(random.u32(0..3)))),
                2 => Pin::Map(None),
                3 => Pin::Named(if random.bool() { "stable" } else { "next" }),
                4 => Pin::Merged(None),
                _ => Pin::Merged(Some(version(random.u32(0..3)))),
            },
            replicas: random.u32(1..9),
        });
        Self { stable: version(10), next: version(11), header: "values", services: services.collect() }
    }

    fn text(&self) -> String {
        let Self { stable, next, header, .. } = self;
        let mut text = format!(
            "# {header}\nstable: &stable {stable}\nnext: &next {next}\ndefaults: &defaults\n  repository: registry.example/common\n  tag: v0.1.0\n"
        );
        for Service { name, pin, replicas } in &self.services {
            text.push_str(&format!("{name}:\n"));
            match pin {
                Pin::Line(version) => text.push_str(&format!("  image: registry.example/{name}:{version}\n")),
                Pin::Map(tag) => {
                    text.push_str(&format!("  image:\n    repository: registry.example/{name}\n"));
                    if let Some(tag) = tag {
                        text.push_str(&format!("    tag: {tag}\n"));
                    }
                }
                Pin::Named(of) => {
                    text.push_str(&format!(
                        "  image:\n    repository: registry.example/{name}\n    tag: *{of}\n"
                    ));
                }
                Pin::Merged(over) => {
                    text.push_str("  image:\n    <<: *defaults\n");
                    if let Some(over) = over {
                        text.push_str(&format!("    tag: {over}\n"));
                    }
                }
            }
            text.push_str(&format!("  replicas: {replicas}\n"));
        }
        text
    }

    /// What a deployment of one service makes of it.
    fn deployed(pin: &Pin, random: &mut fastrand::Rng) -> Pin {
        let new = || version(20);
        match pin {
            Pin::Line(_) if random.bool() => Pin::Line(new()),
            Pin::Line(_) => Pin::Map(Some(new())),
            Pin::Map(None) => Pin::Map(Some(new())),
            Pin::Map(Some(_)) => match random.u8(..3) {
                0 => Pin::Map(None),
                1 => Pin::Named("next"),
                _ => Pin::Map(Some(new())),
            },
            Pin::Named("stable") if random.bool() => Pin::Named("next"),
            Pin::Named(_) => Pin::Map(Some(new())),
            Pin::Merged(None) => Pin::Merged(Some(new())),
            Pin::Merged(Some(_)) if random.bool() => Pin::Merged(None),
            Pin::Merged(Some(_)) => Pin::Merged(Some(new())),
        }
    }

    /// Changes something else than the service at `kept`, which may move.
    fn change(&mut self, random: &mut fastrand::Rng, kept: &str) {
        let at = random.usize(..self.services.len());
        match random.u8(..5) {
            0 => self.services[at].replicas += 1,
            1 if self.services[at].name != kept => {
                self.services[at].pin = Self::deployed(&self.services[at].pin, random);
            }
            2 if self.services[at].name != kept => drop(self.services.remove(at)),
            3 => {
                let free = NAMES.iter().find(|name| self.services.iter().all(|one| one.name != **name));
                let pin = Pin::Map(Some(version(random.u32(0..3))));
                let new = |name: &&str| Service { name: (*name).to_owned(), pin, replicas: 1 };
                self.services.extend(free.map(new));
            }
            _ => self.header = "changed since",
        }
    }
}

#[test]
fn what_a_deployment_pins_goes_back() {
    let fields = Selection::default();
    let file = File { path: "env/values.yaml", fields: &fields };
    let (mut all, mut refused) = (0, Vec::new());
    for seed in 0..CASES {
        let mut random = fastrand::Rng::with_seed(seed);
        let parent = Made::new(&mut random);
        let at = random.usize(..parent.services.len());
        let name = parent.services[at].name.clone();
        let mut bad = parent.clone();
        bad.services[at].pin = Made::deployed(&bad.services[at].pin, &mut random);
        let (before, after) = (parent.text(), bad.text());
        let put = |now: &str| {
            let done = revert(&file, before.as_bytes(), after.as_bytes(), now.as_bytes());
            done.map(|done| String::from_utf8(done.bytes).unwrap())
        };
        let at_once = put(&after).unwrap_or_else(|why| panic!("{seed}: {why}\n{before}\nto\n{after}"));
        assert!(at_once == before, "{seed}: {after}\ngives\n{at_once}\ninstead of\n{before}");
        let mut now = bad.clone();
        for _ in 0..random.u8(1..=4) {
            now.change(&mut random, &name);
        }
        let mut expected = now.clone();
        let pin = parent.services[at].pin.clone();
        expected.services.iter_mut().filter(|one| one.name == name).for_each(|one| one.pin = pin.clone());
        let (now, expected) = (now.text(), expected.text());
        all += 1;
        match put(&now) {
            Ok(text) => assert!(
                text == expected,
                "{seed}:\n{before}\nto\n{after}\nthen\n{now}\ngives\n{text}\ninstead of\n{expected}"
            ),
            Err(why) => refused.push(format!("{seed}: {why}:\n{before}\nto\n{after}\nthen\n{now}")),
        }
    }
    assert!(
        refused.len() <= all / 500,
        "{} of {all} are refused: {}",
        refused.len(),
        refused[..8.min(refused.len())].join("=====\n")
    );
}
