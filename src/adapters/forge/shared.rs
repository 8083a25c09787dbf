//! What the adapters of all forges do in the same way.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use super::rest::{Rest, Wire, parsed_time};
use crate::domain::history::landing::BranchMove;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::command::{Command, Order, Right};
use crate::domain::review::text::ChartStyle;
use crate::domain::review::{Standing, StatusState};
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::{ForgeError, MAX_MOVES};

/// The label of issues that ask a person to roll back by hand.
pub(super) const MANUAL_LABEL: &str = "needs-manual-rollback";

/// Why no issue is opened.
pub(super) const ISSUES_ARE_OFF: &str = "issues are off in the repository's settings, so none can be opened";

/// What a forge answered about issues, and none where it refused because they are off. `are_off` finds that out, and is asked after a
/// refusal alone.
pub(super) async fn unless_off<T>(
    answer: Result<T, ForgeError>,
    are_off: impl Future<Output = Result<bool, ForgeError>>,
) -> Result<Option<T>, ForgeError> {
    match answer {
        Err(_refused) if are_off.await? => Ok(None),
        answer => answer.map(Some),
    }
}

/// What `check` cannot try, as it would change something.
pub(super) const NOT_TESTED: &str =
    "not tested, as that would change something: opening and merging pull requests, comments, statuses";

/// How often a pull request is looked at until the forge has worked out whether it can be merged.
pub(super) const LOOKS: u32 = 3;
/// How long it is waited between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);
/// The most reasons that are told why a pull request cannot be merged.
const MAX_REASONS: usize = 8;
/// The longest address that is told, in characters.
const MAX_PLACE: usize = 300;
/// The longest name that is told, in characters.
const MAX_NAME: usize = 100;

/// The version of a server.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) version: String,
}

/// Whether a version is at least this one, by its first two numbers.
pub(super) fn is_at_least(version: &str, least: (u32, u32)) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map(|number| number.parse::<u32>().ok());
    let mut number = || numbers.next().flatten();
    number().zip(number()).is_some_and(|version| version >= least)
}

/// The state in the word of GitHub, Gitea and Forgejo.
pub(super) fn state_word(state: StatusState) -> &'static str {
    match state {
        StatusState::Success => "success",
        StatusState::Failure => "failure",
    }
}

/// The style of charts on a forge that draws `xychart-beta` blocks, or does not.
pub(super) fn style(draws: bool) -> ChartStyle {
    if draws { ChartStyle::Mermaid } else { ChartStyle::Line }
}

/// An account on a forge. People can choose and change names, so that accounts are told apart by ids alone.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: i64,
    pub(super) name: String,
}

/// The account that our credentials are of. The forge is asked until it has answered once.
#[derive(Default)]
pub(super) struct OwnAccount(OnceCell<Account>);

impl OwnAccount {
    /// The account, by `ask` where it is not known yet. Where the forge refuses to tell it, `fix` is what a person can do.
    pub(super) async fn get<F: Future<Output = Result<Account, ForgeError>>>(
        &self,
        fix: &str,
        ask: impl FnOnce() -> F,
    ) -> Result<&Account, ForgeError> {
        let told = || async { ask().await.map_err(|error| untold(error, fix)) };
        self.0.get_or_try_init(told).await
    }
}

/// Why nothing can be done without knowing the account.
fn untold(error: ForgeError, fix: &str) -> ForgeError {
    match error {
        ForgeError::Denied(reason) | ForgeError::Refused(reason) | ForgeError::Taken(reason) => {
            ForgeError::Denied(format!(
                "{reason}. The forge does not say which account the credentials are of, and the agent follows only the \
                 pull requests that this account has opened: {fix}"
            ))
        }
        ForgeError::Unavailable(reason) => ForgeError::Unavailable(reason),
        ForgeError::Off(reason) => ForgeError::Off(reason),
    }
}

/// Why the agent cannot open a pull request where another account has one open.
pub(super) fn taken(branch: &BranchName, url: &str) -> String {
    let place = one_line(url, MAX_PLACE);
    format!(
        "a pull request from {branch} that another account opened is open already ({place}): close it or merge it by hand"
    )
}

/// Why it cannot be told whether the agent has a pull request from a branch: there are more than can be read, and none of
/// those that were read is its own. Taking that for none would let others hide a person's no.
pub(super) fn buried(branch: &BranchName) -> String {
    format!("there are too many pull requests from {branch} to find the agent's own: look who opens them")
}

/// Of how many commands of different people it is asked whether they may give them, for one pull request: strangers may comment as often as they like.
const MAX_COMMANDERS: usize = 30;

/// Why an edited comment approves nothing: somebody else than its author may have edited it.
const EDITED: &str = "their comment was edited after they wrote it: they have to write a new one";

/// How much later than the comment its last change may be, in seconds, for a comment that nobody has edited.
const SAME_SECS: i64 = 2;

/// What an approval in an edited comment is worth; none for any other order or comment. `edited_at` is when somebody last changed the
/// comment, where the forge says so.
pub(super) fn is_spoilt(order: Order, at: Time, edited_at: Option<Time>) -> Option<Right> {
    let is_edited = edited_at.is_some_and(|edited_at| edited_at.secs_since(at) > SAME_SECS);
    (order == Order::Approve && is_edited).then(|| Right::PushOnly(EDITED.to_owned()))
}

/// The commands, or why they are not all known.
pub(super) fn known(commands: Result<Vec<Command>, ForgeError>) -> (Vec<Command>, Option<String>) {
    match commands {
        Ok(commands) => (commands, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

/// What those may do who have given commands: by their names, and by whether it is about an approval.
#[derive(Default)]
pub(super) struct Commanders(BTreeMap<(String, bool), Right>);

impl Commanders {
    /// Whether somebody may give an order; `ask` is called once for each, for so many of them.
    pub(super) async fn right<F: Future<Output = Result<Right, ForgeError>>>(
        &mut self,
        login: &str,
        order: Order,
        ask: impl FnOnce() -> F,
    ) -> Result<Right, ForgeError> {
        let key = (login.to_owned(), order == Order::Approve);
        if let Some(known) = self.0.get(&key) {
            return Ok(known.clone());
        }
        let right = if self.0.len() < MAX_COMMANDERS { ask().await? } else { Right::Missing };
        match &right {
            Right::PushOnly(why) => tracing::info!(login, why, "an approval does not count"),
            Right::Missing => tracing::info!(login, "a command does not count, as they may not push"),
            Right::Given => {}
        }
        self.0.insert(key, right.clone());
        Ok(right)
    }
}

/// What is to be done so that a comment of ours has a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placing {
    /// It has.
    Done,
    /// The comment of this id gets it.
    Edit(u64),
    /// A new one gets it.
    Write,
}

/// A comment that is there: its id, whose it is, and its text.
pub(super) type There = (u64, Option<i64>, String);

/// Our comment is the one with the same first line that our account has written: whoever may comment can copy the line.
fn placing(text: &str, own: i64, there: impl IntoIterator<Item = There>) -> Placing {
    // Forges may end lines as the web does.
    let lines =
        |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let wanted = lines(text);
    for (id, by, body) in there {
        let found = lines(&body);
        if by == Some(own) && found.first() == wanted.first() {
            return if found == wanted { Placing::Done } else { Placing::Edit(id) };
        }
    }
    Placing::Write
}

/// Our comments with the same first line as a text, but the first of them: two agents that write at the same moment write one each.
fn doubles(text: &str, own: i64, there: impl IntoIterator<Item = There>) -> Vec<u64> {
    let is_same =
        |body: &str| body.lines().next().map(str::trim_end) == text.lines().next().map(str::trim_end);
    let same = there.into_iter().filter(|(_, by, body)| *by == Some(own) && is_same(body));
    let mut ids: Vec<u64> = same.map(|(id, ..)| id).collect();
    ids.sort_unstable();
    ids.split_off(1.min(ids.len()))
}

/// Where the comments on a pull request are.
pub(super) struct CommentPlace {
    /// The path to which a new comment is posted.
    pub(super) new: String,
    /// The path above that of each comment, which its id ends.
    pub(super) each: String,
    /// The method that replaces a text.
    pub(super) edit: Method,
}

/// Has a comment of ours with this text, once. `there` lists the comments, and is called again after one was written.
pub(super) async fn keep_one_comment<W: Wire, F: Future<Output = Result<Vec<There>, ForgeError>>>(
    rest: &Rest<W>,
    place: CommentPlace,
    (text, own): (&str, i64),
    there: impl Fn() -> F,
) -> Result<(), ForgeError> {
    let CommentPlace { new, each, edit } = place;
    let body = json!({"body": text});
    match placing(text, own, there().await?) {
        Placing::Done => Ok(()),
        Placing::Edit(id) => rest.send(edit, &format!("{each}/{id}"), &body).await.map(drop),
        Placing::Write => {
            rest.send(Method::POST, &new, &body).await?;
            for id in doubles(text, own, there().await?) {
                rest.remove(&format!("{each}/{id}")).await?;
            }
            Ok(())
        }
    }
}

/// What `look` shows as soon as it is settled, or at the last of so many looks: forges work out in the background whether a
/// pull request can be merged.
pub(super) async fn settled<T, F: Future<Output = Result<T, ForgeError>>>(
    looks: u32,
    look: impl Fn() -> F,
    is_settled: impl Fn(&T) -> bool,
) -> Result<T, ForgeError> {
    let mut seen = look().await?;
    for _ in 1..looks {
        if is_settled(&seen) {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        seen = look().await?;
    }
    Ok(seen)
}

/// That a pull request cannot be merged, for these reasons.
pub(super) fn blocked(mut reasons: Vec<String>) -> Standing {
    reasons.truncate(MAX_REASONS);
    Standing::Blocked(reasons)
}

/// How many approvals are missing, where any are.
pub(super) fn missing_approvals(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("an approval is missing".to_owned()),
        several => Some(format!("{several} approvals are missing")),
    }
}

/// A name from the forge as a piece of a sentence, also between backticks.
pub(super) fn plain(name: &str) -> String {
    one_line(&name.replace('`', ""), MAX_NAME)
}

/// A move as a forge has logged it. None where the branch was removed, which Git writes as a commit of zeros, and where an id
/// or a time is not understood.
pub(super) fn logged_move(after: &str, at: &str) -> Option<BranchMove> {
    let after: CommitId = after.parse().ok()?;
    let is_commit = after != CommitId::from_bytes([0; 20]);
    let at = parsed_time(at).filter(|_| is_commit)?;
    Some(BranchMove { after, at })
}

/// What the port tells of the moves that a forge has logged. Of several in one second the one that the forge names first
/// counts as the newest.
pub(super) fn newest_moves(logged: impl IntoIterator<Item = BranchMove>, since: Time) -> Vec<BranchMove> {
    let mut moves: Vec<_> = logged.into_iter().filter(|one| one.at >= since).collect();
    moves.sort_by_key(|one| Reverse(one.at));
    // What happens between two requests pushes the end of one page into the next.
    moves.dedup();
    moves.truncate(MAX_MOVES);
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, expected) in [
            ("1.22.0", true),
            ("1.22", true),
            ("1.23.0+dev-10-gabc", true),
            ("1.9.4", false),
            ("1.21.11", false),
            ("2.0.0", true),
            ("", false),
            ("main", false),
            ("1", false),
            ("1.x", false),
        ] {
            assert_eq!(is_at_least(version, (1, 22)), expected, "{version}");
        }
    }
}
