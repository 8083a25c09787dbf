//! Files as environment repos have them, and a deployment in each.

/// A file before and after a deployment, later, and what a revert makes of it then.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) parent: String,
    pub(crate) bad: String,
    pub(crate) later: String,
    pub(crate) expected: String,
    /// What a person would tell `yq`.
    pub(crate) expression: &'static str,
    /// How it has to be told what is no YAML.
    pub(crate) flags: &'static [&'static str],
}

const OLD: &str = "v1.41.7";
const NEW: &str = "v1.42.0";

pub(crate) fn samples() -> Vec<Sample> {
    vec![
        sample("Deployment", "apps/web/deployment.yaml", (DEPLOYMENT_EDIT, YAML), deployment),
        sample("HelmRelease", "apps/web/release.yaml", (RELEASE_EDIT, YAML), release),
        sample("values", "env/values.yaml", (VALUES_EDIT, YAML), values),
        sample("280 documents", "apps/all.yaml", (ALL_EDIT, YAML), all),
        sample(".env", "env/production.env", (DOTENV_EDIT, &["-p", "props", "-o", "props"]), dotenv),
        sample("HCL", "env/main.tf", (HCL_EDIT, &["-p", "hcl", "-o", "hcl"]), hcl),
    ]
}

/// Makes the versions of a file from its text for a version and a number of replicas.
fn sample(
    name: &'static str,
    path: &'static str,
    (expression, flags): (&'static str, &'static [&'static str]),
    text: fn(&str, u32) -> String,
) -> Sample {
    let [parent, bad, later, expected] = [text(OLD, 2), text(NEW, 2), text(NEW, 6), text(OLD, 6)];
    Sample { name, path, parent, bad, later, expected, expression, flags }
}

const YAML: &[&str] = &[];
const DEPLOYMENT_EDIT: &str =
    r#".spec.template.spec.containers[0].image = "registry.example.com/shop/web:v1.41.7""#;
const RELEASE_EDIT: &str = r#".spec.values.image.tag = "v1.41.7""#;
const VALUES_EDIT: &str = r#".services["service-50"].image.tag = "v1.41.7""#;
const DOTENV_EDIT: &str = r#".SERVICE_10_TAG = "v1.41.7""#;
const HCL_EDIT: &str = r#".module.service_7.image_tag = "v1.41.7""#;
const ALL_EDIT: &str = r#"(select(.metadata.name == "service-100") | .spec.template.spec.containers[0].image) = "registry.example.com/shop/service-100:v1.41.7""#;

fn deployment(version: &str, replicas: u32) -> String {
    workload("web", version, replicas)
}

/// About 1 KB.
fn workload(name: &str, version: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: shop
  labels: {{app.kubernetes.io/name: {name}, team: storefront}}
spec:
  replicas: {replicas}   # see the capacity plan
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}

  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      containers:
        - name: app
          image: registry.example.com/shop/{name}:{version}
          args: [\"--listen=:8080\", '--log-format=json']
          env:
            - name: DATABASE_URL
              valueFrom: {{secretKeyRef: {{name: {name}-db, key: url}}}}
            - {{name: REGION, value: \"eu-central-1\"}}
          resources:
            requests: {{cpu: 250m, memory: 256Mi}}
            limits:
              memory: 512Mi
          readinessProbe:
            httpGet: {{path: /healthz, port: 8080}}
            periodSeconds: 5
        # the exporter is the platform team's
        - name: metrics
          image: quay.io/acme/exporter:v2.9.0
          ports:
          - containerPort: 9100
"
    )
}

/// About 5 KB.
fn release(version: &str, replicas: u32) -> String {
    let mut text = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  namespace: shop
spec:
  interval: 10m
  chart:
    spec:
      chart: service
      version: \"3.2.x\"   # from the platform team
      sourceRef: {{kind: HelmRepository, name: platform}}
  values:
    image:
      repository: registry.example.com/shop/web
      tag: {version} # {{\"$imagepolicy\": \"flux-system:web:tag\"}}
    replicaCount: {replicas}
    ingress:
      hosts:
"
    );
    for host in 0..20 {
        text += &format!(
            "      - host: shop-{host}.example.com\n        paths: [{{path: /, pathType: Prefix}}]\n"
        );
    }
    text += "    config:\n      application.yaml: |\n";
    for key in 0..30 {
        text += &format!(
            "        feature-{key}:\n          enabled: {}\n          share: {key}.5\n",
            key % 3 == 0
        );
    }
    text += "    env:\n";
    for key in 0..18 {
        text += &format!("      - name: SETTING_{key}\n        value: \"value of {key}\"\n");
    }
    text
}

/// About 30 KB, one service of which is deployed.
fn values(version: &str, replicas: u32) -> String {
    let mut text =
        "# all services of an environment\nglobal:\n  domain: example.com\n\nservices:\n".to_owned();
    for service in 0..100 {
        let (version, replicas) = if service == 50 { (version, replicas) } else { ("v1.42.0", 2) };
        text += &format!(
            "  service-{service}:
    image:
      repository: registry.example.com/shop/service-{service}
      tag: {version}
    replicas: {replicas}

    resources: {{requests: {{cpu: {service}m, memory: 256Mi}}, limits: {{memory: 512Mi}}}}
    env:
      LOG_LEVEL: 'info'   # not debug
      REGION: \"eu-central-1\"
"
        );
    }
    text
}

/// About 300 KB, one workload of which is deployed.
fn all(version: &str, replicas: u32) -> String {
    let mut text = String::new();
    for service in 0..280 {
        let (version, replicas) = if service == 100 { (version, replicas) } else { ("v1.42.0", 2) };
        text += &format!("---\n{}", workload(&format!("service-{service}"), version, replicas));
    }
    text
}

/// About 2 KB.
fn dotenv(version: &str, replicas: u32) -> String {
    let mut text = "# production\n".to_owned();
    for service in 0..20 {
        let (version, replicas) = if service == 10 { (version, replicas) } else { ("v1.42.0", 2) };
        text += &format!(
            "SERVICE_{service}_TAG={version}\nSERVICE_{service}_REPLICAS={replicas}\nexport SERVICE_{service}_HOST=\"service-{service}.example.com\"\n"
        );
    }
    text
}

/// About 2 KB.
fn hcl(version: &str, replicas: u32) -> String {
    let mut text = String::new();
    for service in 0..14 {
        let (version, replicas) = if service == 7 { (version, replicas) } else { ("v1.42.0", 2) };
        text += &format!(
            "module \"service_{service}\" {{\n  source    = \"./modules/service\"\n  image_tag = \"{version}\" # deployed by CI\n  \
             replicas  = {replicas}\n  tags = {{\n    team = \"storefront\"\n  }}\n}}\n\n"
        );
    }
    text
}
