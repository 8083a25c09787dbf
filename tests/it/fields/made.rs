//! Environment files made up at random, in each format, with several services of which some are at the same versions: what
//! a deployment changes in them goes back, also after other changes since, and nothing else does.

use backout::domain::field::{FieldOutcome, File, Selection, is_half, revert};

/// The same at each run: a finding names its seed.
const CASES: u64 = 150;

/// Something to write down: a service at a version, or a line that is none of its business.
#[derive(Clone, Debug)]
struct Service {
    name: String,
    version: String,
    replicas: u32,
    note: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Made {
    format: usize,
    header: Option<&'static str>,
    services: Vec<Service>,
    crlf: bool,
    last_newline: bool,
}

/// How a service is written in a format: before all of them, each, between two, and after all of them.
struct Format {
    name: &'static str,
    path: &'static str,
    before: &'static str,
    each: &'static str,
    between: &'static str,
    after: &'static str,
    /// What a comment begins with; empty where there are none.
    comment: &'static str,
}

const FORMATS: [Format; 14] = [
    Format {
        name: "values",
        path: "env/values.yaml",
        before: "global:\n  domain: example.org\nservices:\n",
        each: "  @n:\n    image:\n      repository: registry.example/@n\n      tag: @v@c\n    replicas: @r\n",
        between: "",
        after: "",
        comment: "#",
    },
    Format {
        name: "quoted",
        path: "env/values.yaml",
        before: "",
        each: "@n:\n    image: {repository: registry.example/@n, tag: \"@v\"}@c\n    replicaCount: @r\n",
        between: "\n",
        after: "",
        comment: "#",
    },
    Format {
        name: "kustomization",
        path: "overlays/production/kustomization.yaml",
        before: "kind: Kustomization\nresources:\n- ../base\nimages:\n",
        each: "- name: @n\n  newName: registry.example/@n\n  newTag: @v@c\n",
        between: "",
        after: "patches: []\n",
        comment: "#",
    },
    Format {
        name: "deployments",
        path: "apps/all.yaml",
        before: "",
        each: "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: @n\nspec:\n  replicas: @r\n  template:\n    \
               spec:\n      containers:\n      - name: app\n        image: registry.example/@n:@v@c\n        ports: \
               [{containerPort: 80}]\n",
        between: "---\n",
        after: "",
        comment: "#",
    },
    Format {
        name: "helmreleases",
        path: "flux/releases.yaml",
        before: "",
        each: "---\nkind: HelmRelease\nmetadata: {name: @n, namespace: shop}\nspec:\n  chart:\n    spec:\n      chart: \
               @n\n      version: '@v'@c\n  values:\n    replicas: @r\n",
        between: "",
        after: "",
        comment: "#",
    },
    Format {
        name: "block",
        path: "argo/application.yaml",
        before: "kind: Application\nspec:\n  source:\n    helm:\n      values: |\n",
        each: "        @n:\n          tag: @v@c\n          replicas: @r\n",
        between: "",
        after: "  project: default\n",
        comment: "#",
    },
    Format {
        name: "json",
        path: "env/images.json",
        before: "{\n",
        each: "  \"@n\": {\n    \"image\": \"registry.example/@n\",\n    \"tag\": \"@v\",\n    \"replicas\": @r\n  }",
        between: ",\n",
        after: "\n}\n",
        comment: "",
    },
    Format {
        name: "toml",
        path: "env/deploy.toml",
        before: "title = \"x\"\n",
        each: "[@n]\nimage = \"registry.example/@n:@v\"@c\nreplicas = @r\n",
        between: "\n",
        after: "",
        comment: "#",
    },
    Format {
        name: "hcl",
        path: "env/main.tf",
        before: "terraform {\n  backend \"s3\" {}\n}\n",
        each: "module \"@n\" {\n  source    = \"./modules/@n\"\n  image_tag = \"@v\"@c\n  replicas  = @r\n}\n",
        between: "\n",
        after: "",
        comment: "//",
    },
    Format {
        name: "env",
        path: "env/production.env",
        before: "LEVEL=info\n",
        each: "@N_TAG=@v\n@N_REPLICAS=@r\n",
        between: "",
        after: "",
        comment: "",
    },
    Format {
        name: "dockerfile",
        path: "build/Dockerfile",
        before: "",
        each: "FROM registry.example/@n:@v AS @n\nENV REPLICAS=@r\n",
        between: "\n",
        after: "",
        comment: "",
    },
    Format {
        name: "jsonnet",
        path: "env/main.jsonnet",
        before: "local lib = import 'lib.libsonnet';\n{\n",
        each: "  @n: lib.app {\n    image: 'registry.example/@n:@v',@c\n    replicas: @r,\n  },\n",
        between: "",
        after: "}\n",
        comment: "//",
    },
    Format {
        name: "template",
        path: "env/values.yaml.gotmpl",
        before: "{{- if .Values.on }}\n",
        each: "@n:\n  tag: @v@c\n  replicas: {{ .Values.replicas | default @r }}\n",
        between: "",
        after: "{{- end }}\n",
        comment: "#",
    },
    Format {
        name: "compose",
        path: "hosts/docker-compose.yml",
        before: "services:\n",
        each: "  @n:\n    image: \"registry.example/@n:@v\"@c\n    deploy: {replicas: @r}\n",
        between: "",
        after: "",
        comment: "#",
    },
];

const NAMES: [&str; 8] = ["web", "api", "worker", "mailer", "ledger", "search", "gateway", "report"];
const NOTES: [&str; 4] =
    ["keep in step with staging", "see RUN-17", "{\"$imagepolicy\": \"flux:app\"}", "v1"];

impl Made {
    fn new(random: &mut fastrand::Rng, format: usize) -> Self {
        let mut names = NAMES;
        random.shuffle(&mut names);
        // Few versions, so that others have the old one or the new one, too.
        let services = names.iter().take(random.usize(2..=6)).map(|name| Service {
            name: (*name).to_owned(),
            version: version(random.u32(0..3)),
            replicas: random.u32(1..9),
            note: random.choice(NOTES).filter(|_| random.u8(..) < 64),
        });
        let services = services.collect();
        let header = random.choice(["made by hand", "v1 was bad"]).filter(|_| random.bool());
        Self { format, header, services, crlf: random.u8(..) < 64, last_newline: random.u8(..) > 32 }
    }

    fn of(&self) -> &'static Format {
        &FORMATS[self.format]
    }

    fn text(&self) -> String {
        let format = self.of();
        let mut text = String::new();
        if let Some(header) = self.header.filter(|_| !format.comment.is_empty()) {
            text += &format!("{} {header}\n", format.comment);
        }
        text += format.before;
        for (index, service) in self.services.iter().enumerate() {
            if index > 0 {
                text += format.between;
            }
            let note = service.note.filter(|_| !format.comment.is_empty());
            let comment = note.map(|note| format!(" {} {note}", format.comment)).unwrap_or_default();
            let each = format.each.replace("@n", &service.name).replace("@N", &service.name.to_uppercase());
            let each = each.replace("@v", &service.version).replace("@r", &service.replicas.to_string());
            text += &each.replace("@c", &comment);
        }
        text += format.after;
        if !self.last_newline {
            text.truncate(text.trim_end().len());
        }
        if self.crlf { text.replace('\n', "\r\n") } else { text }
    }

    /// With other versions of some services.
    fn with(&self, versions: &[(String, String)]) -> Self {
        let mut made = self.clone();
        for service in &mut made.services {
            if let Some((_, version)) = versions.iter().find(|(name, _)| *name == service.name) {
                service.version.clone_from(version);
            }
        }
        made
    }

    /// New versions of one to four services, often the same for all.
    fn deployment(&self, random: &mut fastrand::Rng) -> Vec<(String, String)> {
        let number = random.usize(1..=4.min(self.services.len()));
        let mut services = self.services.clone();
        random.shuffle(&mut services);
        let same = random.bool().then(|| random.u32(3..5));
        let new = |service: &Service, random: &mut fastrand::Rng| {
            (service.name.clone(), version(same.unwrap_or_else(|| random.u32(3..6))))
        };
        services.iter().take(number).map(|service| new(service, random)).collect()
    }

    /// Changes something that is no version of the services that `keep` names.
    fn change(&mut self, random: &mut fastrand::Rng, keep: &[(String, String)]) {
        let kept = |name: &str| keep.iter().any(|(other, _)| other == name);
        let at = random.usize(..self.services.len());
        match random.u8(..6) {
            0 => self.services[at].replicas += 1,
            1 if !kept(&self.services[at].name) => self.services[at].version = version(random.u32(0..7)),
            2 if self.services.len() > 1 && !kept(&self.services[at].name) => {
                self.services.remove(at);
            }
            3 => {
                let free =
                    NAMES.iter().find(|name| self.services.iter().all(|service| service.name != **name));
                if let Some(name) = free {
                    let (version, replicas) = (version(random.u32(0..7)), random.u32(1..9));
                    let service = Service { name: (*name).to_owned(), version, replicas, note: None };
                    self.services.insert(at, service);
                }
            }
            4 => random.shuffle(&mut self.services),
            _ => self.header = Some("changed since"),
        }
    }
}

fn version(number: u32) -> String {
    format!("v1.{number}.0")
}

/// A file, the deployment, and what the file is after it.
fn each_case(mut check: impl FnMut(&mut fastrand::Rng, &str, &Made, &[(String, String)])) {
    for seed in 0..CASES {
        for (format, of) in FORMATS.iter().enumerate() {
            let mut random = fastrand::Rng::with_seed(seed);
            let parent = Made::new(&mut random, format);
            let deployment = parent.deployment(&mut random);
            check(&mut random, &format!("{} {seed}", of.name), &parent, &deployment);
        }
    }
}

#[track_caller]
fn few(what: &str, number: usize, of: usize, at_most: usize) {
    assert!(number <= at_most, "{number} of {of} are {what}, more than {at_most}");
}

#[test]
fn revert_undoes_deploy() {
    let fields = Selection::default();
    each_case(|_random, case, parent, deployment| {
        let file = File { path: parent.of().path, fields: &fields };
        let (parent, bad) = (parent.text(), parent.with(deployment).text());
        let result = revert(&file, parent.as_bytes(), bad.as_bytes(), bad.as_bytes());
        let reverted = result.unwrap_or_else(|refusal| panic!("{case}: {refusal}\n{parent}\n{bad}"));
        let text = String::from_utf8(reverted.bytes).unwrap();
        assert!(text == parent, "{case}: {bad}\ngives\n{text}\ninstead of\n{parent}");
        assert_eq!(reverted.left_behind, Vec::<String>::new(), "{case}");
        assert!(
            reverted.fields.iter().filter(|field| field.is_version()).count() >= deployment.len(),
            "{case}"
        );
    });
}

#[test]
fn after_other_changes_the_same_fields_go_back_or_a_person_is_asked() {
    let fields = Selection::default();
    let (mut all, mut refused) = (0, 0);
    each_case(|random, case, parent, deployment| {
        let file = File { path: parent.of().path, fields: &fields };
        let bad = parent.with(deployment);
        let mut now = bad.clone();
        for _ in 0..random.u8(1..=4) {
            now.change(random, deployment);
        }
        let old: Vec<(String, String)> = deployment
            .iter()
            .filter_map(|(name, _)| parent.services.iter().find(|service| service.name == *name))
            .map(|service| (service.name.clone(), service.version.clone()))
            .collect();
        let [parent, bad, expected, now] = [parent, &bad, &now.with(&old), &now].map(Made::text);
        all += 1;
        match revert(&file, parent.as_bytes(), bad.as_bytes(), now.as_bytes()) {
            Err(_) => refused += 1,
            Ok(reverted) => {
                let text = String::from_utf8(reverted.bytes).unwrap();
                assert!(
                    text == expected,
                    "{case}:\n{parent}\nto\n{bad}\nthen\n{now}\ngives\n{text}\ninstead of\n{expected}\n{:#?}",
                    reverted.fields
                );
            }
        }
    });
    few("refused", refused, all, all / 100);
}

#[test]
fn what_was_deployed_again_since_stays_or_is_half() {
    let fields = Selection::default();
    each_case(|random, case, parent, deployment| {
        let file = File { path: parent.of().path, fields: &fields };
        let bad = parent.with(deployment);
        let mut again = deployment.to_vec();
        random.shuffle(&mut again);
        again.truncate(random.usize(1..=again.len()));
        for (_, version) in &mut again {
            "v1.9.0".clone_into(version);
        }
        let mut now = bad.with(&again);
        for _ in 0..random.u8(0..=2) {
            now.change(random, deployment);
        }
        let [parent, bad, now] = [parent, &bad, &now].map(Made::text);
        if let Ok(reverted) = revert(&file, parent.as_bytes(), bad.as_bytes(), now.as_bytes()) {
            let left = reverted.bytes == now.as_bytes();
            assert!(left || is_half(&reverted.fields), "{case}:\n{parent}\nto\n{bad}\nthen\n{now}");
            let restored = |outcome: &FieldOutcome| *outcome == FieldOutcome::Restored;
            let back = reverted.fields.iter().filter(|field| restored(&field.outcome) && field.is_version());
            assert!(
                back.count() <= deployment.len() - again.len(),
                "{case}:\n{parent}\nto\n{bad}\nthen\n{now}"
            );
        }
    });
}
