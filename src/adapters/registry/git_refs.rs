//! The tags of a Git repository, as its server lists them over HTTP.
//! Source: <https://git-scm.com/docs/http-protocol#_discovering_references>.

use reqwest::{Method, StatusCode, Url};

use super::server::{Ask, Server};
use crate::ports::{Held, RegistryError};

/// The largest list of refs that is read: some 100,000 of them.
const MAX_LIST_BYTES: usize = 16 << 20;

/// Whether there is such a tag or branch. What a branch stands for changes all the time, so that nothing is said of it.
pub(super) async fn find(
    server: &Server,
    mut url: Url,
    reference: &str,
) -> Result<Option<Held>, RegistryError> {
    let is_commit = reference.len() >= 7 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit || reference == "HEAD" {
        return Err(server.error("lists tags and branches, and no commits"));
    }
    let no_path = |()| server.error("has no repository at such an address");
    url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(["info", "refs"]);
    url.set_query(Some("service=git-upload-pack"));
    let ask =
        Ask { method: Method::GET, url, accept: "", repository: None, elsewhere: false, may_refuse: false };
    let response = server.ask(&ask).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(server.error(&format!("answered {status} to the question for the refs of a repository")));
    }
    let body = server.body(response, MAX_LIST_BYTES).await?;
    let refs = refs(&body).ok_or_else(|| server.error("sent what is no list of refs"))?;
    let tag = format!("refs/tags/{reference}");
    let branch = format!("refs/heads/{reference}");
    let id = |name: &str| refs.iter().find(|(_, known)| *known == name).map(|(id, _)| (*id).to_owned());
    // The commit of an annotated tag counts, not the tag's own object.
    if let Some(id) = id(&format!("{tag}^{{}}")).or_else(|| id(&tag)) {
        return Ok(Some(Held { digest: Some(id) }));
    }
    Ok(id(&branch).map(|_| Held { digest: None }))
}

/// The ids and names in an answer, in lines that begin with their length in four hexadecimal digits; none where it is no such answer.
fn refs(mut body: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut is_list = false;
    while let Some((length, _)) = body.split_at_checked(4) {
        let length = usize::from_str_radix(std::str::from_utf8(length).ok()?, 16).ok()?;
        if length < 4 {
            body = body.get(4..)?;
            continue;
        }
        let line = std::str::from_utf8(body.get(4..length)?).ok()?;
        body = body.get(length..)?;
        is_list |= line.starts_with("# service=git-upload-pack");
        let line = line.split('\0').next().unwrap_or(line).trim_end();
        found.extend(line.split_once(' ').filter(|(id, _)| id.len() >= 40));
    }
    is_list.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_refs_is_read() {
        let id = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
        let list = [
            line("# service=git-upload-pack\n"),
            "0000".to_owned(),
            line(&format!("{id} HEAD\0multi_ack\n")),
            line(&format!("{id} refs/tags/v1\n")),
            "0000".to_owned(),
        ]
        .concat();
        assert_eq!(refs(list.as_bytes()).unwrap(), [(id, "HEAD"), (id, "refs/tags/v1")]);
        assert!(refs(b"<html>").is_none());
        assert!(refs(b"").is_none());
        assert!(refs(b"ffff").is_none());
        assert!(refs(list.get(..list.len() - 20).unwrap().as_bytes()).is_none());
    }
}
