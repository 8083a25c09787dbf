//! Before anything goes back: whether the application's own source says that a migration came with the release that would go.

use std::net::TcpListener;

use super::artifacts::Scene;
use super::stage::text;
use crate::support::git::{WorkTree, bare, git, git_command};
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};
use crate::support::ssh_remote::SshRemote;

const EXPAND: &str = "ALTER TABLE orders ADD COLUMN note text;\n";
const CONTRACT: &str = "ALTER TABLE orders DROP COLUMN note;\n";

/// The source of `web` behind a web server, with the commits of v1, v2 and v3, and others before and after them.
struct App {
    remote: HttpRemote,
    tree: WorkTree,
    revisions: [String; 3],
}

impl App {
    /// What v3 brings.
    fn new(brought: &[(&str, &str)]) -> Self {
        let remote = HttpRemote::start();
        let root = remote.repository().parent().unwrap().to_owned();
        let place = bare(&root, "web.git");
        // As forges do.
        git(&place, &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        let mut tree = WorkTree::new();
        tree.commit_file("db/migrate/1_orders.sql", "CREATE TABLE orders (id int);\n");
        let mut release = |files: &[(&str, &str)], tag: &str| {
            files.iter().for_each(|(path, text)| tree.write(path, text));
            let commit = tree.commit(tag);
            tree.commit_file("notes.md", tag);
            commit
        };
        let revisions = [
            release(&[("src/a.rs", "1")], "v1"),
            release(&[("src/a.rs", "2")], "v2"),
            release(brought, "v3"),
        ];
        tree.push(&place);
        Self { remote, tree, revisions }
    }

    /// Above the repository.
    fn base(&self) -> String {
        self.remote.url().trim_end_matches("/env.git").to_owned()
    }

    fn url(&self) -> String {
        format!("{}/web.git", self.base())
    }

    fn tag(&self, names: &[&str]) {
        for (name, commit) in names.iter().zip(&self.revisions) {
            // An annotated one, and a plain one.
            let message: &[&str] = if name.ends_with('2') { &["-m", "release"] } else { &[] };
            self.tree.git(&[&["tag"], message, &[*name, commit.as_str()]].concat());
        }
        let place = self.remote.repository().parent().unwrap().join("web.git");
        self.tree.push_as(&place, "refs/tags/*:refs/tags/*");
    }

    /// `web` with images of these revisions, where only what is below this URL may be asked.
    fn scene_of(&self, schema: &str, revisions: [&str; 3], listed: &str) -> Scene {
        let url = self.url();
        let labels = |revision| {
            [
                ("org.opencontainers.image.source", url.as_str()),
                ("org.opencontainers.image.revision", revision),
            ]
        };
        let [one, two, three] = revisions.map(labels);
        self.scene(schema, [&one, &two, &three], listed)
    }

    fn scene(&self, schema: &str, labels: [&[(&str, &str)]; 3], listed: &str) -> Scene {
        let auth = format!("{{kind: basic, username: {USER}, password: {{env: APP_PASSWORD}}}}");
        let more = match listed {
            "" => String::new(),
            url => format!("sources: [{{url: '{url}', auth: {auth}, timeout: 5s}}]\n"),
        };
        let mut scene = Scene::with(schema, labels, &more);
        scene.stage.variables.push(("APP_PASSWORD".to_owned(), PASSWORD.to_owned()));
        scene
    }

    fn all(&self) -> [&str; 3] {
        self.revisions.each_ref().map(String::as_str)
    }

    /// How it is told which revisions were compared.
    fn between(&self) -> String {
        let [_, old, new] = self.all().map(|id| &id[..10]);
        format!("between {old} and {new} of {}", self.url())
    }

    fn packs_asked_for(&self) -> usize {
        self.remote.access_log().matches("POST /web.git/git-upload-pack").count()
    }

    #[track_caller]
    fn was_not_asked(&self) {
        assert!(!self.remote.access_log().contains("web.git"), "{}", self.remote.access_log());
    }
}

#[test]
fn a_migration_in_the_source_of_the_bad_release_is_for_a_person() {
    for (path, schema) in [
        ("db/migrate/2_notes.rb", ""),
        ("app/migrations/0002_notes.py", ", schema: {policy: allow-expand}"),
        ("schema/notes.hcl", ", schema: {paths: ['schema/**']}"),
        ("db/migrate/2_notes.sql", ""),
    ] {
        let app = App::new(&[(path, EXPAND)]);
        let scene = app.scene_of(schema, app.all(), &app.base());
        let web = scene.is_for_a_person(&["its source changed a database schema", path, &app.between()]);
        let last = web["guards"].as_array().unwrap().last().unwrap();
        assert_eq!(last["guard"], "schema change", "{last:#}");
        let found = &last["facts"]["of_sources"][0]["found"][0];
        assert_eq!(text(found, "by"), "sources", "{last:#}");
        assert!(web["artifacts"]["sources"][0].as_str().unwrap().contains(path), "{web:#}");
    }
}

#[test]
fn without_a_migration_it_goes_back_and_the_message_and_the_record_say_what_was_compared() {
    for brought in
        [("src/a.rs", "3"), ("tests/schema.sql", CONTRACT), ("db/migrate/2_notes.down.sql", CONTRACT)]
    {
        let app = App::new(&[brought]);
        let scene = app.scene_of(", schema: {detectors: [sources]}", app.all(), &app.url());
        let plan = scene.stage.run(&["plan"]).ended(0).stdout;
        let line = format!("in the source no migration came {}", app.between());
        assert!(plan.contains(&line), "{line}:\n{plan}");
        let fetched = app.packs_asked_for();
        assert!(fetched > 0);
        let (web, message) = scene.is_back_at("v2");
        assert!(message.contains(&line), "{line}:\n{message}");
        assert!(line.contains(web["artifacts"]["sources"][0].as_str().unwrap()), "{web:#}");
        // What is there is not fetched again.
        assert_eq!(app.packs_asked_for(), fetched);
    }
}

#[test]
fn what_only_expands_goes_back_under_a_policy_that_lets_it() {
    let allow = ", schema: {policy: allow-expand}";
    let app = App::new(&[("db/migrate/2_notes.sql", EXPAND)]);
    app.scene_of(allow, app.all(), &app.base()).is_back_at("v2");
    let app = App::new(&[("db/migrate/2_notes.sql", EXPAND), ("db/migrate/3_notes.sql", CONTRACT)]);
    let scene = app.scene_of(allow, app.all(), &app.base());
    scene.is_for_a_person(&["3_notes.sql", "contract", "line 1"]);
    scene.configure(", schema: {policy: ignore}", true);
    scene.is_back_at("v2");
    // A migration that was changed after it ran may mean anything.
    let app = App::new(&[("db/migrate/1_orders.sql", "CREATE TABLE orders (id int, note text);\n")]);
    app.scene_of(allow, app.all(), &app.base()).is_for_a_person(&["1_orders.sql"]);
}

#[test]
fn tags_stand_for_revisions_where_images_have_no_labels() {
    for names in [["v1", "v2", "v3"], ["1", "2", "3"]] {
        let app = App::new(&[("db/migrate/2_notes.rb", "")]);
        app.tag(&names);
        let schema = format!(", schema: {{source: '{}/{{service}}.git'}}", app.base());
        let scene = app.scene(&schema, [&[], &[], &[]], &app.base());
        scene.is_for_a_person(&["its source changed a database schema", "2_notes.rb", "between v2 and v3"]);
    }
    let app = App::new(&[("src/a.rs", "3")]);
    app.tag(&["v1", "v2", "v3"]);
    let schema = format!(", schema: {{source: '{}/{{service}}.git', detectors: [sources]}}", app.base());
    app.scene(&schema, [&[], &[], &[]], &app.base()).is_back_at("v2");
}

/// It goes back with these words, and is a person's where the policy names the detector.
#[track_caller]
fn is_not_looked_at(app: &App, revisions: [&str; 3], listed: &str, why: &str) {
    let scene = app.scene_of(", schema: {detectors: [sources]}", revisions, listed);
    scene
        .is_for_a_person(&["its source was not looked at, and its policy names the detector `sources`", why]);
    scene.configure("", true);
    let (web, message) = scene.is_back_at("v2");
    assert!(message.contains("the source was not looked at: ") && message.contains(why), "{why}:\n{message}");
    assert!(text(&web["artifacts"], "unseen_source").contains(why), "{web:#}");
}

#[test]
fn what_cannot_be_looked_at_is_said_and_is_for_who_relies_on_it() {
    let app = App::new(&[("db/migrate/2_notes.rb", "")]);
    let [one, two, three] = app.all();
    let unknown = "0123456789abcdef0123456789abcdef01234567";
    is_not_looked_at(&app, [one, two, unknown], &app.base(), "web.git");
    is_not_looked_at(&app, [one, two, "v9"], &app.base(), "the tag v9");
    is_not_looked_at(&app, [one, "refs/heads/*", three], &app.base(), "neither a whole commit id nor a tag");
    // A tree is no commit.
    let tree = app.tree.git(&["rev-parse", &format!("{three}^{{tree}}")]);
    is_not_looked_at(&app, [one, two, &tree], &app.base(), "is not a commit");
}

#[test]
fn a_server_that_gives_out_no_single_commits_is_asked_by_tags() {
    let app = App::new(&[("db/migrate/2_notes.rb", "")]);
    let place = app.remote.repository().parent().unwrap().join("web.git");
    git(&place, &["config", "uploadpack.allowReachableSHA1InWant", "false"]);
    is_not_looked_at(&app, app.all(), &app.base(), "specific object");
    app.tag(&["v1", "v2", "v3"]);
    let scene = app.scene_of("", app.all(), &app.base());
    scene.is_for_a_person(&["2_notes.rb", &app.between()]);
}

#[test]
fn nobody_is_asked_who_is_not_listed_or_where_the_detector_is_off() {
    let app = App::new(&[("db/migrate/2_notes.rb", "")]);
    let other = format!("{}/we", app.base());
    is_not_looked_at(&app, app.all(), &other, "is not in `sources`");
    let scene = app.scene_of(", schema: {detectors: [files, images]}", app.all(), &app.base());
    let (_, message) = scene.is_back_at("v2");
    assert!(!message.contains("source"), "{message}");
    let scene = app.scene_of("", app.all(), "");
    let (_, message) = scene.is_back_at("v2");
    assert!(!message.contains("source"), "{message}");
    app.was_not_asked();
}

#[test]
fn a_server_that_does_not_answer_keeps_no_revert_waiting() {
    let app = App::new(&[("db/migrate/2_notes.rb", "")]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let schema = format!(", schema: {{source: '{base}/{{service}}'}}");
    let scene = app.scene(&schema, [&[], &[], &[]], &base);
    let (_, message) = scene.is_back_at("v2");
    assert!(
        message.contains("the source was not looked at: ") && message.contains("no answer within 5 s"),
        "{message}"
    );
    app.was_not_asked();
}

#[test]
fn where_the_registry_is_silent_the_configuration_and_tags_are_enough() {
    let app = App::new(&[("db/migrate/2_notes.rb", "")]);
    app.tag(&["v1", "v2", "v3"]);
    let schema = format!(", schema: {{source: '{}/{{service}}.git'}}", app.base());
    let mut scene = app.scene(&schema, [&[], &[], &[]], &app.base());
    scene.registry.stop();
    scene.is_for_a_person(&["its source changed a database schema", "2_notes.rb"]);
}

#[test]
fn the_source_behind_ssh_is_looked_into_too() {
    let remote = SshRemote::start();
    git(&remote.repository(), &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
    let app = App::new(&[("db/migrate/2_notes.rb", "")]);
    app.tree.push(&remote.repository());
    let (key, hosts) = (remote.file("user_key"), remote.file("known_hosts"));
    let (above, _) =
        remote.url().rsplit_once('/').map(|(above, name)| (above.to_owned(), name.to_owned())).unwrap();
    let auth = format!("{{kind: ssh, key: '{}', known_hosts: '{}'}}", key.display(), hosts.display());
    let more = format!("sources: [{{url: '{above}', auth: {auth}}}]\n");
    let labels = app.all().map(|revision| [("org.opencontainers.image.revision", revision)]);
    let schema = format!(", schema: {{source: '{}'}}", remote.url());
    let scene = Scene::with(&schema, labels.each_ref().map(<[_; 1]>::as_slice), &more);
    scene.is_for_a_person(&["its source changed a database schema", "2_notes.rb", &remote.url()]);
    app.was_not_asked();
}

/// The commits of a repository that was filled at once with many files.
fn many_files(place: &std::path::Path, count: usize) -> [String; 3] {
    let mut stream = String::new();
    for (number, mark) in ["v1", "v2", "v3"].iter().enumerate() {
        let (date, length) = (1_700_000_000 + number, mark.len());
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter a <a@b> {date} +0000\ndata {length}\n{mark}\n"
        ));
        let files = if number == 0 { count } else { 1 };
        for file in 0..files {
            let text = format!("{mark} {file}");
            let name = format!("{}/{}", file / 1_000, file % 1_000);
            stream.push_str(&format!("M 100644 inline {name}\ndata {}\n{text}\n", text.len()));
        }
    }
    let input = place.join("stream");
    std::fs::write(&input, stream).unwrap();
    let mut import = git_command(place);
    import.args(["fast-import", "--quiet"]).stdin(std::fs::File::open(&input).unwrap());
    assert!(import.status().unwrap().success());
    [2, 1, 0].map(|back| git(place, &["rev-parse", &format!("main~{back}")]))
}

#[test]
fn a_source_that_is_too_large_is_given_up_and_not_fetched_again() {
    let app = App::new(&[]);
    let place = bare(app.remote.repository().parent().unwrap(), "large.git");
    let revisions = many_files(&place, 300_000);
    git(&place, &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
    let url = format!("{}/large.git", app.base());
    let labels =
        revisions.each_ref().map(|revision| [("org.opencontainers.image.revision", revision.as_str())]);
    let schema = format!(", schema: {{source: '{url}', detectors: [sources]}}");
    let scene = app.scene(&schema, labels.each_ref().map(<[_; 1]>::as_slice), &url);
    let asked = || app.remote.access_log().matches("POST /large.git/git-upload-pack").count();
    scene.is_for_a_person(&[
        "its source was not looked at",
        "large.git is larger than 256 MiB or 300000 objects",
    ]);
    let fetched = asked();
    assert!(fetched > 0);
    scene.stage.run(&["plan"]);
    assert_eq!(asked(), fetched);
}
