//! What forges do by the settings of a repository: features that are off, rights that are missing, names that are not there.

use backout::domain::environment::policy::Delivery;
use backout::domain::review::text::{ChartStyle, is_second, same_as, with_closing};
use backout::domain::review::{Merging, ReviewState, Standing};
use backout::ports::ForgeError;

use super::{Place, main, message, no_comments_at_first};
use crate::support::forge::{AGENT, Face};
use crate::support::git::git;

const FACES: [Face; 3] = [Face::GitHub, Face::Gitea, Face::GitLab];

#[tokio::test]
async fn where_issues_are_off_there_are_none_and_none_can_be_opened() {
    for (face, tracks_elsewhere) in FACES.map(|face| (face, false)).into_iter().chain([(Face::Gitea, true)]) {
        let place = Place::new(face);
        place.sim.state().rules.issues = false;
        place.sim.state().rules.tracks_elsewhere = tracks_elsewhere;
        assert_eq!(place.forge.issues().await, Ok(Vec::new()), "{face:?}");
        let refused = place.forge.open_issue("Roll back app", "By hand").await;
        assert!(
            matches!(&refused, Err(ForgeError::Off(why)) if why.contains("issues are off")),
            "{refused:?}"
        );
        let told = place.forge.check(&main(), Delivery::PullRequest).await.unwrap();
        assert!(told.contains("issues are off, so none can be opened"), "{told}");
    }
}

#[tokio::test]
async fn an_assignee_who_is_not_there_keeps_no_other_out() {
    for face in FACES {
        let mut place = Place::with(face, |options| {
            options.assignees = ["dana", "nobody-of-that-name", "lee"].map(str::to_owned).to_vec();
        });
        let new = place.proposal("backout/a", "v1");
        place.forge.open(&new).await.unwrap();
        place.forge.open_issue("Roll back app", "By hand").await.unwrap();
        let state = place.sim.state();
        for assigned in [&state.pulls[0].assignees, &state.issues[0].assignees] {
            assert_eq!(assigned.iter().collect::<Vec<_>>(), ["dana", "lee"], "{face:?}");
        }
    }
}

#[tokio::test]
async fn check_finds_out_whether_issues_can_be_opened_and_opens_none() {
    for face in FACES {
        let place = Place::new(face);
        let told = place.forge.check(&main(), Delivery::PullRequest).await.unwrap();
        assert!(told.contains("not tested"), "{told}");
        place.sim.state().rules.writes_issues = false;
        let refused = place.forge.check(&main(), Delivery::PullRequest).await.unwrap_err().to_string();
        assert!(refused.contains("may not open issues"), "{refused}");
        assert!(place.sim.state().issues.is_empty());
    }
}

#[tokio::test]
async fn check_tells_of_a_branch_that_takes_no_pushes() {
    for face in FACES {
        let place = Place::new(face);
        place.sim.state().rules.pushes = false;
        let by_pull_request = place.forge.check(&main(), Delivery::PullRequest).await;
        assert!(by_pull_request.is_ok(), "{by_pull_request:?}");
        match (face, place.forge.check(&main(), Delivery::Push).await) {
            (Face::GitHub, Ok(told)) => {
                assert!(told.contains("not tested") && told.contains("pushes to `main`"), "{told}");
            }
            (Face::Gitea | Face::GitLab, Err(ForgeError::Denied(why))) => {
                assert!(why.contains("`main`") && why.contains("delivery: pull-request"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A forge may pass over what it is to merge by itself.
#[tokio::test]
async fn what_is_ready_is_merged_at_once_though_it_is_scheduled() {
    for face in FACES {
        let mut place = Place::new(face);
        place.sim.state().rules.passes_over = true;
        let opened = place.open("backout/a", "v1").await;
        let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
        assert_eq!(merging, Merging::Scheduled, "{face:?}");
        place.sim.state().check(opened.number, "success");
        let ready = place.look(&opened).await;
        assert_eq!((ready.scheduled, ready.standing.clone()), (true, Standing::Ready), "{face:?}");
        let merging = place.forge.merge(&ready, &main(), &message("v1")).await.unwrap();
        assert_eq!(merging, Merging::Merged, "{face:?}");
        assert_eq!(git(&place.repository, &["show", "main:app.yaml"]), "tag: v1");
    }
}

/// It looked ready, and a rule that the agent may not read was in the way.
#[tokio::test]
async fn a_refusal_keeps_what_was_scheduled() {
    for face in FACES {
        let mut place = Place::new(face);
        let opened = place.open("backout/a", "v1").await;
        place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
        let mut looks_ready = place.look(&opened).await;
        looks_ready.standing = Standing::Ready;
        let merging = place.forge.merge(&looks_ready, &main(), &message("v1")).await.unwrap();
        assert_ne!(merging, Merging::Merged, "{face:?}");
        assert!(place.look(&opened).await.scheduled, "{face:?}");
        place.sim.state().check(opened.number, "success");
        assert_eq!(place.sim.state().merges, 1, "{face:?}: the forge has merged it");
    }
}

/// Gitea takes two labels of one name, and then finds no issue by either.
#[tokio::test]
async fn issues_are_found_though_there_are_two_labels_of_one_name() {
    let place = Place::new(Face::Gitea);
    place.sim.state().labels = vec!["needs-manual-rollback".to_owned(), "needs-manual-rollback".to_owned()];
    let opened = place.forge.open_issue("Roll back app", "By hand").await.unwrap();
    assert_eq!(place.forge.issues().await.unwrap(), std::slice::from_ref(&opened));
    assert_eq!(place.sim.state().labels.len(), 2, "none is made a third time");
    // Those of others are not the agent's, whatever labels they have.
    {
        let mut state = place.sim.state();
        state.issues[0].by = "mallory".to_owned();
    }
    assert_eq!(place.forge.issues().await.unwrap(), []);
}

#[tokio::test]
async fn without_its_label_an_issue_is_opened_all_the_same() {
    let place = Place::new(Face::Gitea);
    place.sim.fates(|_, asked| {
        match asked.path.last().is_some_and(|last| last == "labels") && asked.writes() {
            true => crate::support::forge::Fate::Instead(crate::support::forge::Reply::json(
                403,
                serde_json::json!({}),
            )),
            false => crate::support::forge::Fate::Go,
        }
    });
    let opened = place.forge.open_issue("Roll back app", "By hand").await.unwrap();
    assert_eq!(place.forge.issues().await.unwrap(), std::slice::from_ref(&opened));
}

/// The server answers 500 to a fast-forward that is none.
#[tokio::test]
async fn where_only_fast_forwards_are_allowed_what_is_behind_is_renewed() {
    let mut place = Place::new(Face::Gitea);
    {
        let mut state = place.sim.state();
        state.rules.required.clear();
        state.rules.ways = vec!["fast-forward-only".to_owned()];
    }
    let opened = place.open("backout/a", "v1").await;
    assert_eq!(opened.standing, Standing::Ready);
    place.main_moves("other.yaml", "tag: v9\n");
    assert_eq!(place.look(&opened).await.standing, Standing::Behind);
    place.sim.state().rules.ways.clear();
    let refused = place.forge.check(&main(), Delivery::PullRequest).await.unwrap_err().to_string();
    assert!(refused.contains("no way to merge is allowed"), "{refused}");
}

/// Two agents have opened one at the same moment: the first is followed, whatever becomes of the second.
#[tokio::test]
async fn the_first_of_two_pull_requests_is_followed() {
    let mut place = Place::new(Face::Gitea);
    let first = place.open("backout/a", "v1").await;
    let second = {
        let mut state = place.sim.state();
        let mut twin = state.pulls[0].clone();
        twin.number = state.next_number();
        state.pulls.push(twin);
        state.numbers
    };
    assert_eq!(place.look(&first).await.number, first.number);
    {
        let mut state = place.sim.state();
        let twin = state.pull(second).unwrap();
        (twin.open, twin.closed_by) = (false, Some(AGENT.to_owned()));
        twin.body = with_closing(&twin.body, &same_as(&first.url));
        assert!(is_second(&twin.body));
        let one = state.pull(first.number).unwrap();
        (one.open, one.closed_by) = (false, Some("dana".to_owned()));
    }
    let found = place.look(&first).await;
    assert_eq!(
        (found.number, found.state),
        (first.number, ReviewState::Closed { by: Some("dana".to_owned()) })
    );
}

/// Two agents have written at the same moment: the first comment stays, and each later text is put there.
#[tokio::test]
async fn the_first_of_two_comments_stays() {
    for face in FACES {
        let mut place = Place::new(face);
        let opened = place.open("backout/a", "v1").await;
        place.sim.state().rules.required.clear();
        let ready = place.look(&opened).await;
        place.forge.merge(&ready, &main(), &message("v1")).await.unwrap();
        let commit = place.tip("main");
        place.sim.state().sources.insert(commit.to_string(), opened.number);
        let text = |more: &str| format!("<!-- backout:1 -->\n{more}");
        place.forge.comment(commit, &text("First")).await.unwrap();
        place.sim.fates(no_comments_at_first());
        place.forge.comment(commit, &text("Second")).await.unwrap();
        let bodies = || -> Vec<String> {
            place.sim.state().comments.iter().map(|comment| comment.body.clone()).collect()
        };
        assert_eq!(bodies(), [text("First")], "{face:?}");
        place.forge.comment(commit, &text("Third")).await.unwrap();
        assert_eq!(bodies(), [text("Third")], "{face:?}");
    }
}

/// An older server shows an error in place of a chart that it does not know.
#[tokio::test]
async fn charts_are_drawn_where_the_server_can() {
    for (face, version, expected) in [
        (Face::Gitea, "7.0.9+gitea-1.22.0", ChartStyle::Mermaid),
        (Face::Gitea, "1.21.11+0-g1c5a3b5", ChartStyle::Line),
        (Face::Gitea, "1.23.1", ChartStyle::Mermaid),
        (Face::Gitea, "1.20.5+gitea-1.20.5", ChartStyle::Line),
        (Face::GitLab, "17.5.1-ee", ChartStyle::Mermaid),
        (Face::GitLab, "16.11.0", ChartStyle::Line),
        (Face::GitLab, "nonsense", ChartStyle::Line),
        (Face::GitHub, "", ChartStyle::Mermaid),
    ] {
        let place = Place::new(face);
        version.clone_into(&mut place.sim.state().version);
        assert_eq!(place.forge.chart().await, expected, "{face:?} {version}");
    }
}

#[tokio::test]
async fn who_is_no_administrator_is_told_that_commands_are_not_obeyed() {
    for face in FACES {
        let place = Place::new(face);
        assert_eq!(place.forge.deaf().await, Ok(None), "{face:?}");
        place.sim.state().rules.administers = false;
        let told = place.forge.deaf().await.unwrap();
        assert_eq!(told.is_some(), face == Face::Gitea, "{told:?}");
    }
}
