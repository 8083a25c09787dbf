//! Buckets of S3 and of Google Cloud Storage, as anybody may ask them who needs no signature. Both answer to the same requests: the second
//! has the API of the first. Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>,
//! <https://cloud.google.com/storage/docs/xml-api/get-bucket-list>.

use reqwest::header::ETAG;
use reqwest::{Method, StatusCode, Url};

use super::server::{Ask, Server};
use crate::domain::artifact::BucketStore;
use crate::ports::{Held, RegistryError};

/// The largest answer that is read: it lists one file.
const MAX_LIST_BYTES: usize = 64 << 10;

/// The host at which the buckets of a store are asked.
pub(super) fn host(store: BucketStore) -> &'static str {
    match store {
        BucketStore::S3 => "s3.amazonaws.com",
        BucketStore::Google => "storage.googleapis.com",
    }
}

/// Whether there is a file with this key, or one in a directory of this name. Of a directory no digest is known: what is in it may change.
///
/// A bucket that does not let everybody list it may still let everybody read a file: then that is asked for.
pub(super) async fn find(server: &Server, bucket: &str, key: &str) -> Result<Option<Held>, RegistryError> {
    if let Listed::File { .. } = list(server, bucket, &format!("{key}/")).await? {
        return Ok(Some(Held { digest: None }));
    }
    match list(server, bucket, key).await? {
        // The keys come in their order, and no other one that begins so comes before the key itself.
        Listed::File { key: found, etag } if found == key => Ok(Some(Held { digest: etag })),
        Listed::File { .. } | Listed::Nothing | Listed::NoBucket => Ok(None),
        Listed::Refused => head(server, bucket, key).await.map(Some),
    }
}

/// The first file of a list.
#[derive(Debug, PartialEq, Eq)]
enum Listed {
    File {
        key: String,
        etag: Option<String>,
    },
    Nothing,
    NoBucket,
    /// Not everybody may list the bucket.
    Refused,
}

async fn list(server: &Server, bucket: &str, prefix: &str) -> Result<Listed, RegistryError> {
    let mut url = address(server, &[bucket])?;
    url.query_pairs_mut().extend_pairs([("list-type", "2"), ("max-keys", "1"), ("prefix", prefix)]);
    let ask =
        Ask { method: Method::GET, url, accept: "", repository: None, elsewhere: true, may_refuse: true };
    let response = server.ask(&ask).await?;
    let status = response.status();
    let body = server.body(response, MAX_LIST_BYTES).await?;
    let text = String::from_utf8_lossy(&body);
    match status {
        StatusCode::OK => listed(&text).ok_or_else(|| server.error("sent what is no list of a bucket")),
        StatusCode::FORBIDDEN => Ok(Listed::Refused),
        StatusCode::NOT_FOUND if between(&text, "<Code>", "</Code>") == Some("NoSuchBucket") => {
            Ok(Listed::NoBucket)
        }
        _ => Err(server.error(&format!("answered {status} to the question for the files of a bucket"))),
    }
}

/// The file with this key, where everybody may read it. A missing file and a forbidden one get the same answer.
async fn head(server: &Server, bucket: &str, key: &str) -> Result<Held, RegistryError> {
    let path: Vec<&str> = std::iter::once(bucket).chain(key.split('/')).collect();
    let url = address(server, &path)?;
    let ask =
        Ask { method: Method::HEAD, url, accept: "", repository: None, elsewhere: false, may_refuse: false };
    let response = server.ask(&ask).await?;
    let status = response.status();
    let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(digest);
    match status {
        StatusCode::OK => Ok(Held { digest: etag }),
        _ => Err(server.error(&format!("answered {status} to the question for a file of a bucket"))),
    }
}

/// The address of something in a bucket.
fn address(server: &Server, path: &[&str]) -> Result<Url, RegistryError> {
    let mut url = server.base().clone();
    let no_path = |()| server.error("has no buckets at such an address");
    url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(path);
    Ok(url)
}

/// The first file of an answer; none where it is no list.
fn listed(body: &str) -> Option<Listed> {
    if !body.contains("<ListBucketResult") {
        return None;
    }
    Some(match between(body, "<Key>", "</Key>") {
        Some(key) => {
            let etag = between(body, "<ETag>", "</ETag>").map(|etag| digest(&etag.replace("&quot;", "\"")));
            Listed::File { key: key.to_owned(), etag }
        }
        None => Listed::Nothing,
    })
}

/// An entity tag as a digest. It is the same as long as nobody writes the file again.
fn digest(etag: &str) -> String {
    format!("etag:{}", etag.trim_start_matches("W/").trim_matches('"'))
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(within, _)| within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_a_bucket_is_read() {
        let list = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><Name>m</Name><Prefix>iris/v2</Prefix><KeyCount>1</KeyCount><Contents><Key>iris/v2</Key><ETag>&quot;0a1b&quot;</ETag></Contents></ListBucketResult>";
        let file = Listed::File { key: "iris/v2".to_owned(), etag: Some("etag:0a1b".to_owned()) };
        assert_eq!(listed(list), Some(file));
        assert_eq!(
            listed("<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"),
            Some(Listed::Nothing)
        );
        assert_eq!(listed("<html>"), None);
        assert_eq!(digest("W/\"a-2\""), "etag:a-2");
    }
}
