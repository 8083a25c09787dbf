//! What every forge does.

use backout::domain::environment::policy::Delivery;
use backout::domain::history::landing::BranchMove;
use backout::domain::ids::BranchName;
use backout::domain::review::command::{Order, Right};
use backout::domain::review::{CommitStatus, Merging, ReviewState, Standing, StatusState};
use backout::domain::time::Time;
use backout::ports::{ForgeError, MAX_MOVES, MAX_PULLS};

use super::{Place, main, message};
use crate::support::forge::{AGENT, Face, Fate, Pull, Reply};
use crate::support::git::git;

/// The suite for one forge; each test is one thing that the port promises.
macro_rules! conforms {
    ($module:ident, $face:expr) => {
        mod $module {
            use super::*;
            conforms!(@tests $face,
                opens_finds_and_describes_a_pull_request,
                has_the_forge_merge_it_when_its_rules_let_it,
                merges_at_once_what_nothing_is_in_the_way_of,
                merges_nothing_but_the_commit_that_was_looked_at,
                tells_what_is_in_the_way,
                closes_and_tells_who_has_closed,
                obeys_nobody_who_may_not_push,
                takes_approvals_of_those_alone_who_may_merge,
                ignores_the_pull_requests_of_forks,
                ignores_what_other_accounts_have_opened,
                tells_that_another_account_is_in_the_way,
                follows_nothing_where_its_own_account_is_not_told,
                opens_lists_and_closes_issues,
                shows_a_verdict_once,
                corrects_a_status_only_where_one_is_shown,
                lists_the_open_pull_requests_of_all,
                comments_once_on_what_brought_a_commit,
                edits_its_own_comment_and_nobody_else_s,
                dresses_pull_requests,
                tells_when_a_branch_was_moved,
                tells_the_newest_moves_and_not_too_many,
                tells_of_no_moves_where_the_log_is_not_shown,
                reads_long_lists_to_the_end,
                asks_again_what_it_reads_and_not_what_it_writes,
                waits_a_little_and_no_longer,
                says_what_a_person_can_do,
                says_what_to_expect
            );
        }
    };
    (@tests $face:expr, $($name:ident),+) => {
        $(
            #[tokio::test]
            async fn $name() {
                super::$name($face).await;
            }
        )+
    };
}

conforms!(github, Face::GitHub);
conforms!(gitea, Face::Gitea);
conforms!(gitlab, Face::GitLab);

async fn opens_finds_and_describes_a_pull_request(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/production/app/1", "v1");
    assert_eq!(place.forge.review(&new.branch, &new.base).await.unwrap(), None);
    let opened = place.forge.open(&new).await.unwrap();
    assert_eq!(opened.state, ReviewState::Open);
    assert_eq!(opened.head, place.tip(new.branch.as_str()));
    assert_eq!(opened.body, new.body);
    assert!(opened.url.starts_with("http"), "{}", opened.url);
    assert!(!opened.scheduled);
    let found = place.forge.review(&new.branch, &new.base).await.unwrap().unwrap();
    assert_eq!(found, opened);
    let before = place.sim.unmodified();
    assert_eq!(place.look(&opened).await, opened);
    assert!(place.sim.unmodified() > before, "what has not changed is not sent again");
    let again = place.forge.open(&new).await;
    assert!(matches!(again, Err(ForgeError::Refused(_))), "{again:?}");
    place.forge.describe(&opened, "Something else").await.unwrap();
    let found = place.look(&opened).await;
    assert_eq!(found.body, "Something else");
    let pull = place.sim.state().pulls[0].clone();
    assert!(pull.title.ends_with(&new.title), "{}", pull.title);
    assert!(!pull.draft);
    assert_eq!(place.sim.state().pulls.len(), 1);
}

async fn has_the_forge_merge_it_when_its_rules_let_it(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert_eq!(merging, Merging::Scheduled);
    let found = place.look(&opened).await;
    assert!(found.scheduled);
    place.forge.unschedule(&found).await.unwrap();
    assert!(!place.look(&opened).await.scheduled);
    place.sim.state().check(opened.number, "success");
    assert_eq!(place.sim.state().merges, 0, "it was taken back");
    let opened = place.look(&opened).await;
    assert_eq!(place.forge.merge(&opened, &main(), &message("v1")).await.unwrap(), Merging::Merged);
    assert_eq!(place.look(&opened).await.state, ReviewState::Merged);
    assert_eq!(git(&place.repository, &["show", "main:app.yaml"]), "tag: v1");

    let opened = place.open("backout/b", "v0").await;
    place.forge.merge(&opened, &main(), &message("v0")).await.unwrap();
    place.main_moves("other.yaml", "tag: v9\n");
    place.sim.state().check(opened.number, "success");
    assert_eq!(place.sim.state().merges, 2, "the forge has merged it");
    assert_eq!(place.look(&opened).await.state, ReviewState::Merged);
    let text = git(&place.repository, &["log", "-1", "--format=%B", "main"]);
    assert!(text.contains("Revert app in production: v2 → v0"), "{text}");
}

async fn merges_at_once_what_nothing_is_in_the_way_of(face: Face) {
    for way in ["squash", "merge", "rebase"] {
        let mut place = Place::new(face);
        place.sim.state().rules.required.clear();
        place.sim.state().rules.ways = vec![way.to_owned()];
        let opened = place.open("backout/a", "v1").await;
        assert_eq!(opened.standing, Standing::Ready, "{way}");
        let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
        assert_eq!(merging, Merging::Merged, "{way}");
        let merged = place.look(&opened).await;
        assert_eq!(merged.state, ReviewState::Merged);
        assert_eq!(merged.merged_as, Some(place.tip("main")), "{way}");
        let found = git(&place.repository, &["log", "main", "--format=%B"]);
        assert!(
            found.contains("\nBackout-Id: 1\nBackout-Service: app"),
            "{way}: the trailers are there: {found}"
        );
        assert_eq!(place.sim.state().merges, 1);
    }
}

async fn merges_nothing_but_the_commit_that_was_looked_at(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    // Somebody pushes to the branch in between.
    place.people.git(&["checkout", "-q", "work"]);
    place.people.write("app.yaml", "tag: evil\n");
    place.people.commit("Mine");
    place.people.git(&["push", "-q", place.repository.to_str().unwrap(), "HEAD:backout/a"]);
    for required in [true, false] {
        if !required {
            place.sim.state().rules.required.clear();
        }
        let merging = place.forge.merge(&opened, &main(), &message("v1")).await;
        assert!(!matches!(merging, Ok(Merging::Merged | Merging::Scheduled)), "{merging:?}");
    }
    assert_eq!(place.sim.state().merges, 0);
    assert!(place.sim.state().pulls[0].auto.is_none());
}

async fn tells_what_is_in_the_way(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    let blockers = |standing: Standing| {
        let Standing::Blocked(names) = standing else { panic!("{standing:?}") };
        names.join("; ")
    };
    assert!(blockers(opened.standing.clone()).contains("ci/test"), "{:?}", opened.standing);
    place.sim.state().check(opened.number, "failure");
    let standing = blockers(place.look(&opened).await.standing);
    assert!(standing.contains("ci/test") && standing.contains("fail"), "{standing}");
    place.sim.state().check(opened.number, "success");
    place.sim.state().rules.approvals = 2;
    let standing = blockers(place.look(&opened).await.standing);
    assert!(standing.contains('2') && standing.contains("approv"), "{standing}");
    place.sim.state().pulls[0].approved_by.extend(["dana".to_owned(), "lee".to_owned()]);
    assert_eq!(place.look(&opened).await.standing, Standing::Ready);
    place.main_moves("app.yaml", "tag: v3\n");
    assert_eq!(place.look(&opened).await.standing, Standing::Conflict);
}

async fn closes_and_tells_who_has_closed(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    place.forge.close(&opened).await.unwrap();
    assert_eq!(place.look(&opened).await.state, ReviewState::Closed { by: Some(AGENT.to_owned()) });
    let new = place.proposal("backout/a2", "v1");
    assert_eq!(place.forge.review(&new.branch, &new.base).await.unwrap(), None, "of another branch");
    let second = place.open("backout/b", "v0").await;
    {
        let mut state = place.sim.state();
        let pull = state.pull(second.number).unwrap();
        (pull.open, pull.closed_by) = (false, Some("dana".to_owned()));
    }
    assert_eq!(place.look(&second).await.state, ReviewState::Closed { by: Some("dana".to_owned()) });
}

async fn obeys_nobody_who_may_not_push(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    for (by, text) in [
        ("mallory", "/backout approve"),
        ("dana", "/backout hold 1h30m\n\nI am looking at it"),
        ("stranger", "/backout retry"),
        ("dana", "well, /backout approve?"),
    ] {
        place.sim.state().comment(opened.number, by, text);
    }
    let commands = place.look(&opened).await.commands;
    let told: Vec<_> = commands.iter().map(|one| (one.by.as_str(), one.order, one.right.clone())).collect();
    assert_eq!(
        told,
        [
            ("mallory", Order::Approve, Right::Missing),
            ("dana", Order::Hold(5400), Right::Given),
            ("stranger", Order::Retry, Right::Missing),
        ]
    );
}

async fn takes_approvals_of_those_alone_who_may_merge(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    {
        let mut state = place.sim.state();
        state.people.insert("chief".to_owned(), true);
        state.admins.insert("chief".to_owned());
        for by in ["chief", "dana", "lee", "mallory"] {
            state.comment(opened.number, by, "/backout approve");
        }
        state.comment(opened.number, "lee", "/backout hold 5m");
        state.comment(opened.number, "lee", "/backout retry");
    }
    let rights = async || {
        let commands = place.look(&opened).await.commands;
        assert!(commands[4..].iter().all(|one| one.right == Right::Given), "{commands:?}");
        let word = |right: &Right| match right {
            Right::Given => "merge",
            Right::Missing => "nothing",
            Right::PushOnly(why) => {
                assert!(why.contains("`main`"), "{why}");
                "push"
            }
        };
        commands[..4].iter().map(|one| word(&one.right)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rights().await, "merge merge merge nothing", "whoever may push");
    place.sim.state().rules.mergers = Some(["dana".to_owned()].into());
    // On Gitea the list holds for administrators too.
    let listed = match face {
        Face::GitHub | Face::GitLab => "merge merge push nothing",
        Face::Gitea => "push merge push nothing",
    };
    assert_eq!(rights().await, listed, "whoever is listed");
    place.sim.state().rules.tells_mergers = false;
    let untold = match face {
        Face::GitHub => "merge merge merge nothing",
        Face::GitLab | Face::Gitea => "merge push push nothing",
    };
    assert_eq!(rights().await, untold, "where it is not told who is listed");
}

async fn ignores_the_pull_requests_of_forks(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    {
        let mut state = place.sim.state();
        let (number, head) = (state.next_number(), state.tip("backout/a").unwrap());
        state.pulls.push(Pull {
            number,
            branch: "backout/a".to_owned(),
            base: "main".to_owned(),
            open: true,
            head,
            by: AGENT.to_owned(),
            fork: true,
            ..Pull::default()
        });
    }
    assert_eq!(place.forge.review(&new.branch, &new.base).await.unwrap(), None);
}

async fn ignores_what_other_accounts_have_opened(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    let close = |number: u64, merged: bool| {
        let mut state = place.sim.state();
        let pull = state.pull(number).unwrap();
        (pull.open, pull.merged, pull.closed_by) = (false, merged, Some("dana".to_owned()));
        pull.merge_commit = merged.then(|| pull.head.clone());
    };
    let look = || place.forge.review(&new.branch, &new.base);
    let others = |by: &str| place.sim.state().open_by(by, "backout/a", "main");
    // Somebody else's alone, in whatever state.
    let first = others("mallory");
    assert_eq!(look().await.unwrap(), None, "open");
    close(first, false);
    assert_eq!(look().await.unwrap(), None, "closed");
    close(first, true);
    assert_eq!(look().await.unwrap(), None, "merged");
    // The agent's own between two of others.
    let own = place.forge.open(&new).await.unwrap();
    assert_eq!(look().await.unwrap().unwrap(), own);
    close(own.number, false);
    let third = others("lee");
    for merged in [None, Some(false), Some(true)] {
        if let Some(merged) = merged {
            close(third, merged);
        }
        let found = look().await.unwrap().unwrap();
        assert_eq!(found.number, own.number, "{merged:?}");
        assert_eq!(found.state, ReviewState::Closed { by: Some("dana".to_owned()) }, "{merged:?}");
    }
    let newer = place.forge.open(&new).await.unwrap();
    assert_eq!(look().await.unwrap().unwrap().number, newer.number);
}

async fn tells_that_another_account_is_in_the_way(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    place.forge.review(&new.branch, &new.base).await.unwrap();
    let number = place.sim.state().open_by("mallory", "backout/a", "main");
    match place.forge.open(&new).await {
        Err(ForgeError::Taken(reason)) => {
            assert!(reason.contains("backout/a that another account opened is open already"), "{reason}");
            assert!(reason.contains(&format!("/{number})")), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(place.sim.state().pulls.len(), 1);
}

async fn follows_nothing_where_its_own_account_is_not_told(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    place.sim.state().tells_account = false;
    let fix = match face {
        Face::GitHub => "GitHub App",
        Face::GitLab => "the scope `api`",
        Face::Gitea => "the scope `read:user`",
    };
    let found = place.forge.review(&new.branch, &new.base).await;
    match (found, place.forge.check(&main(), Delivery::PullRequest).await) {
        (Err(ForgeError::Denied(found)), Err(ForgeError::Denied(checked))) => {
            assert!(found.contains(fix), "{found}");
            assert_eq!(found, checked);
        }
        other => panic!("{other:?}"),
    }
    // What was refused is asked again, and what was told is not.
    place.sim.state().tells_account = true;
    place.sim.fates(|_, _| Fate::Go);
    let opened = place.forge.open(&new).await.unwrap();
    for _ in 0..3 {
        assert_eq!(place.look(&opened).await.number, opened.number);
    }
    let asked = place.sim.log().iter().filter(|asked| asked.path.last().unwrap() == "user").count();
    assert_eq!(asked, 1);
    let told = place.forge.check(&main(), Delivery::PullRequest).await.unwrap();
    assert!(told.contains(AGENT), "{told}");
}

async fn opens_lists_and_closes_issues(face: Face) {
    let place = Place::with(face, |options| options.assignees = vec!["dana".to_owned()]);
    assert_eq!(place.forge.issues().await.unwrap(), []);
    let body = "<!-- backout-issue: 1 -->\nRoll it back by hand";
    let opened = place.forge.open_issue("Roll back app", body).await.unwrap();
    assert_eq!(opened.body, body);
    assert_eq!(place.forge.issues().await.unwrap(), std::slice::from_ref(&opened));
    {
        let mut state = place.sim.state();
        let issue = &state.issues[0];
        assert_eq!(issue.title, "Roll back app");
        assert!(issue.labels.contains("needs-manual-rollback"), "{issue:?}");
        assert!(issue.assignees.contains("dana"), "{issue:?}");
        // A copy by somebody else.
        let number = state.next_number();
        let copy =
            crate::support::forge::Issue { number, by: "mallory".to_owned(), ..state.issues[0].clone() };
        state.issues.push(copy);
    }
    assert_eq!(place.forge.issues().await.unwrap(), std::slice::from_ref(&opened));
    place.forge.close_issue(opened.number, "Nothing is left to do here.").await.unwrap();
    assert_eq!(place.forge.issues().await.unwrap(), []);
    let state = place.sim.state();
    assert!(!state.issues[0].open && state.issues[1].open);
    let comments = state.comments.iter().filter(|comment| comment.on == opened.number);
    assert_eq!(
        comments.map(|comment| comment.body.as_str()).collect::<Vec<_>>(),
        ["Nothing is left to do here."]
    );
}

async fn shows_a_verdict_once(face: Face) {
    let place = Place::new(face);
    let commit = place.tip("main");
    let mut status = CommitStatus {
        commit,
        context: "backout/production/app".to_owned(),
        state: StatusState::Failure,
        description: "regressed: errors rose".to_owned(),
        url: Some("https://forge.example.com/shop/environments/pulls/1".to_owned()),
    };
    for _ in 0..2 {
        place.forge.status(&status).await.unwrap();
    }
    assert_eq!(place.sim.state().statuses[&commit.to_string()].len(), 1, "once");
    (status.state, status.url) = (StatusState::Success, None);
    for _ in 0..2 {
        place.forge.status(&status).await.unwrap();
    }
    let state = place.sim.state();
    let shown = &state.statuses[&commit.to_string()];
    assert_eq!(shown.len(), 2);
    assert_eq!((shown[0].state.as_str(), shown[1].state.as_str()), ("failure", "success"));
    assert_eq!(shown[1].context, status.context);
}

async fn corrects_a_status_only_where_one_is_shown(face: Face) {
    let place = Place::new(face);
    let commit = place.tip("main");
    let mut status = CommitStatus {
        commit,
        context: "backout/quarantine/production".to_owned(),
        state: StatusState::Success,
        description: "nothing comes back".to_owned(),
        url: None,
    };
    place.forge.restate(&status).await.unwrap();
    assert!(place.sim.state().statuses.is_empty(), "there was nothing to correct");
    let other = CommitStatus { context: "backout/production/app".to_owned(), ..status.clone() };
    place.forge.status(&other).await.unwrap();
    place.forge.restate(&status).await.unwrap();
    status.state = StatusState::Failure;
    place.forge.status(&status).await.unwrap();
    status.state = StatusState::Success;
    for _ in 0..2 {
        place.forge.restate(&status).await.unwrap();
    }
    let state = place.sim.state();
    let shown: Vec<(&str, &str)> = state.statuses[&commit.to_string()]
        .iter()
        .map(|shown| (shown.context.as_str(), shown.state.as_str()))
        .collect();
    let own = status.context.as_str();
    assert_eq!(shown, [(other.context.as_str(), "success"), (own, "failure"), (own, "success")]);
}

async fn lists_the_open_pull_requests_of_all(face: Face) {
    let mut place = Place::new(face);
    let mut expected = Vec::new();
    for (name, by) in [("bump/a", "dana"), ("bump/b", AGENT), ("bump/c", "mallory"), ("bump/d", "lee")] {
        place.proposal(name, &format!("tag-of-{}", name.len()));
        let number = place.sim.state().open_by(by, name, "main");
        expected.push((number, place.tip(name)));
    }
    git(&place.repository, &["branch", "next", "main~0"]);
    place.proposal("bump/next", "v5");
    {
        let mut state = place.sim.state();
        state.open_by("dana", "bump/next", "next");
        // One is closed, and one comes from a fork.
        state.pull(expected[3].0).unwrap().open = false;
        state.pull(expected[2].0).unwrap().fork = true;
    }
    expected.truncate(if face == Face::GitLab { 2 } else { 3 });
    let mut found = place.forge.pulls(&main()).await.unwrap();
    found.sort_by_key(|pull| pull.number);
    let told: Vec<_> = found.iter().map(|pull| (pull.number, pull.head)).collect();
    assert_eq!(told, expected);
    let kind = if face == Face::GitLab { "merge-requests" } else { "pull" };
    assert_eq!(found[0].reference, format!("refs/{kind}/{}/head", found[0].number));
    for number in 0..MAX_PULLS + 5 {
        let mut state = place.sim.state();
        let (number, head) = (1_000 + number as u64, expected[0].1.to_string());
        let (branch, base) = (format!("more-{number}"), "main".to_owned());
        git(&place.repository, &["branch", &branch, &head]);
        state.pulls.push(Pull {
            number,
            branch,
            base,
            head,
            open: true,
            by: "dana".to_owned(),
            ..Pull::default()
        });
    }
    assert_eq!(place.forge.pulls(&main()).await.unwrap().len(), MAX_PULLS);
}

async fn comments_once_on_what_brought_a_commit(face: Face) {
    let mut place = Place::new(face);
    place.sim.state().rules.required.clear();
    let opened = place.open("feature", "v3").await;
    place.forge.merge(&opened, &main(), "Deploy").await.unwrap();
    let commit = place.tip("main");
    place.sim.state().sources.insert(commit.to_string(), opened.number);
    for _ in 0..2 {
        place.forge.comment(commit, "<!-- backout:1 -->\nIt made things worse.").await.unwrap();
    }
    let comments = place.sim.state().comments.clone();
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert_eq!(comments[0].on, opened.number);
    // What no pull request brought has none.
    let first = git(&place.repository, &["rev-list", "--max-parents=0", "main"]).parse().unwrap();
    place.forge.comment(first, "<!-- backout:2 -->\nNobody hears this.").await.unwrap();
    assert_eq!(place.sim.state().comments.len(), 1);
}

async fn edits_its_own_comment_and_nobody_else_s(face: Face) {
    let mut place = Place::new(face);
    place.sim.state().rules.required.clear();
    let opened = place.open("feature", "v3").await;
    place.forge.merge(&opened, &main(), "Deploy").await.unwrap();
    let commit = place.tip("main");
    place.sim.state().sources.insert(commit.to_string(), opened.number);
    let mark = "<!-- backout: commit=1 environment=production -->";
    let text = |what: &str| format!("{mark}\n\n{what}\n");
    // Others have copied the first line before, and do so again.
    place.sim.state().comment(opened.number, "mallory", &text("All is well."));
    place.forge.comment(commit, &text("One service is worse.")).await.unwrap();
    place.sim.state().comment(opened.number, "lee", &text("All is well."));
    // A forge may end the lines of a text as the web does.
    place.sim.state().comments[1].body = text("One service is worse.").replace('\n', "\r\n");
    place.sim.fates(|_, _| Fate::Go);
    place.forge.comment(commit, &text("One service is worse.")).await.unwrap();
    assert_eq!(place.sim.writes(), [""; 0], "it says so already");
    place.forge.comment(commit, &text("Two services are worse.")).await.unwrap();
    assert_eq!(place.sim.writes().len(), 1);
    // About another environment there is another one.
    place.forge.comment(commit, "<!-- backout: commit=1 environment=staging -->\n\nAs well.").await.unwrap();
    let comments = place.sim.state().comments.clone();
    let told: Vec<_> = comments.iter().map(|one| (one.by.as_str(), one.body.as_str())).collect();
    assert_eq!(
        told,
        [
            ("mallory", text("All is well.").as_str()),
            (AGENT, text("Two services are worse.").as_str()),
            ("lee", text("All is well.").as_str()),
            (AGENT, "<!-- backout: commit=1 environment=staging -->\n\nAs well."),
        ]
    );
}

async fn dresses_pull_requests(face: Face) {
    let mut place = Place::with(face, |options| {
        options.labels = vec!["rollback".to_owned(), "urgent".to_owned()];
        options.reviewers = vec!["dana".to_owned(), "nobody-of-that-name".to_owned()];
        options.assignees = vec!["dana".to_owned()];
    });
    let mut new = place.proposal("backout/a", "v1");
    new.owners = vec!["@lee".to_owned(), "owner@example.com".to_owned()];
    place.forge.open(&new).await.unwrap();
    let pull = place.sim.state().pulls[0].clone();
    assert_eq!(pull.labels.iter().collect::<Vec<_>>(), ["rollback", "urgent"]);
    assert_eq!(pull.assignees.iter().collect::<Vec<_>>(), ["dana"]);
    // Gitea asks code owners itself, by rules of its own.
    let asked: &[&str] = if face == Face::Gitea { &["dana"] } else { &["dana", "lee"] };
    assert_eq!(pull.reviewers.iter().collect::<Vec<_>>(), asked, "one who is not there is left out");
}

async fn tells_when_a_branch_was_moved(face: Face) {
    let mut place = Place::new(face);
    place.sim.state().rules.required.clear();
    // Two commits are pushed together, an hour after the second one was made.
    for tag in ["v8", "v9"] {
        place.people.write("other.yaml", &format!("tag: {tag}\n"));
        place.people.commit("Something else");
    }
    place.people.now += 3600;
    place.people.push(&place.repository);
    let pushed = BranchMove { after: place.tip("main"), at: Time::from_unix(place.people.now) };
    let opened = place.open("backout/a", "v1").await;
    let proposed = BranchMove { after: opened.head, at: Time::from_unix(place.people.now) };
    place.sim.state().now = || 1_700_010_000;
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert_eq!(merging, Merging::Merged);
    let merged = BranchMove { after: place.tip("main"), at: Time::from_unix(1_700_010_000) };

    let told = place.forge.moves(&main(), pushed.at).await.unwrap();
    assert_eq!(told, [merged.clone(), pushed.clone()]);
    let told = place.forge.moves(&main(), pushed.at.plus_secs(1)).await.unwrap();
    assert_eq!(told, [merged]);
    let told = place.forge.moves(&main(), Time::from_unix(0)).await.unwrap();
    assert_eq!(told.len(), 3, "with the first push: {told:?}");
    let told = place.forge.moves(&BranchName::new("backout/a").unwrap(), Time::from_unix(0)).await.unwrap();
    assert_eq!(told, [proposed]);
    let told = place.forge.moves(&BranchName::new("a").unwrap(), Time::from_unix(0)).await.unwrap();
    assert_eq!(told, []);
}

async fn tells_the_newest_moves_and_not_too_many(face: Face) {
    let mut place = Place::new(face);
    place.proposal("feature", "v3");
    let (one, other) = (place.tip("main"), place.tip("feature"));
    place.sim.state().now = || 1_700_010_000;
    for round in 0..=MAX_MOVES {
        let ids = [one.to_string(), other.to_string()];
        let (from, to) = (&ids[round % 2], &ids[(round + 1) % 2]);
        let state = place.sim.state();
        state.move_branch("main", to, from);
        // The moves of another branch fill the first pages.
        state.move_branch("feature", from, to);
    }
    let told = place.forge.moves(&main(), Time::from_unix(0)).await.unwrap();
    let at = Time::from_unix(1_700_010_000);
    let newest_first = [other, one].into_iter().cycle().take(MAX_MOVES);
    assert_eq!(told, newest_first.map(|after| BranchMove { after, at }).collect::<Vec<_>>());
}

async fn tells_of_no_moves_where_the_log_is_not_shown(face: Face) {
    let place = Place::new(face);
    let told = async |reply: Reply| {
        place.sim.fates(move |_, _| Fate::Instead(reply.clone()));
        place.forge.moves(&main(), Time::from_unix(0)).await
    };
    for status in [403, 404] {
        assert_eq!(told(Reply::no(status, "not for you")).await, Ok(Vec::new()), "{status}");
    }
    // Everything else is an error.
    let unknown = told(Reply::no(401, "who are you?")).await;
    assert!(matches!(unknown, Err(ForgeError::Denied(_))), "{unknown:?}");
    let bad = told(Reply::no(422, "no way")).await;
    assert!(matches!(bad, Err(ForgeError::Refused(_))), "{bad:?}");
    for reply in [
        Reply::no(502, "Bad gateway"),
        Reply::no(429, "Slow down").with("Retry-After", "900"),
        Reply::no(403, "Slow down").with("Retry-After", "900"),
        Reply::json(200, serde_json::json!({"moves": []})),
    ] {
        let lost = told(reply.clone()).await;
        assert!(matches!(lost, Err(ForgeError::Unavailable(_))), "{reply:?}: {lost:?}");
    }
}

async fn reads_long_lists_to_the_end(face: Face) {
    let mut place = Place::new(face);
    let opened = place.open("backout/a", "v1").await;
    for number in 0..250 {
        place.sim.state().comment(opened.number, "lee", &format!("talk {number}"));
    }
    place.sim.state().comment(opened.number, "dana", "/backout approve");
    assert_eq!(place.look(&opened).await.commands.len(), 1);
}

async fn asks_again_what_it_reads_and_not_what_it_writes(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    place.forge.review(&new.branch, &new.base).await.unwrap();
    place.sim.fates(|number, _| match number {
        0 => Fate::Instead(Reply::no(502, "Bad gateway")),
        _ => Fate::Go,
    });
    assert_eq!(place.forge.review(&new.branch, &new.base).await.unwrap(), None);
    assert_eq!(place.counts()["GET"], 2);
    place.sim.fates(|_, _| Fate::Instead(Reply::no(502, "Bad gateway")));
    let lost = place.forge.review(&new.branch, &new.base).await;
    assert!(matches!(lost, Err(ForgeError::Unavailable(_))), "{lost:?}");
    assert!(place.counts()["GET"] <= 3);
    place.sim.fates(|_, asked| match asked.writes() {
        true => Fate::Lost(Reply::no(502, "Bad gateway")),
        false => Fate::Go,
    });
    let lost = place.forge.open(&new).await;
    assert!(matches!(lost, Err(ForgeError::Unavailable(_))), "{lost:?}");
    assert_eq!(place.sim.writes().len(), 1, "{:?}", place.sim.writes());
    assert_eq!(place.sim.state().pulls.len(), 1);
}

async fn waits_a_little_and_no_longer(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    let limited = |secs: &'static str| {
        move |number: usize, _: &crate::support::forge::Asked| match number {
            0 => Fate::Instead(Reply::no(429, "Slow down").with("Retry-After", secs)),
            _ => Fate::Go,
        }
    };
    place.sim.fates(limited("1"));
    assert_eq!(place.forge.review(&new.branch, &new.base).await.unwrap(), None);
    place.sim.fates(limited("900"));
    let later = place.forge.review(&new.branch, &new.base).await;
    match later {
        Err(ForgeError::Unavailable(reason)) => assert!(reason.contains("900 s"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(place.sim.log().len(), 1);
}

async fn says_what_a_person_can_do(face: Face) {
    let mut place = Place::new(face);
    let new = place.proposal("backout/a", "v1");
    for (status, denied, advice) in [
        (401, true, "`forge.auth`"),
        (403, true, "the right to"),
        (404, true, "`forge.repository`"),
        (405, false, "no way"),
        (409, false, "no way"),
        (422, false, "no way"),
    ] {
        place.sim.fates(move |_, asked| match asked.writes() {
            true => Fate::Instead(Reply::no(status, "no way")),
            false => Fate::Go,
        });
        match place.forge.open(&new).await {
            Err(ForgeError::Denied(reason)) if denied => {
                assert!(reason.contains(advice), "{status}: {reason}");
                assert!(reason.contains(&format!(": {status} to `POST /")), "{reason}");
            }
            Err(ForgeError::Refused(reason)) if !denied => {
                assert!(reason.contains(advice), "{status}: {reason}")
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

async fn says_what_to_expect(face: Face) {
    let place = Place::new(face);
    let told = place.forge.check(&main(), Delivery::PullRequest).await.unwrap();
    assert!(told.contains("shop/environments"), "{told}");
}
