//! What people read of each field where nothing is done: what it held, who put what there, and what it holds now.

use crate::domain::change::{Told, now_text, told_of};
use crate::domain::deployment::{Deployment, FieldChange};
use crate::domain::field::{self, FieldResult};
use crate::domain::history::snapshot::{Content, FileVersion};
use crate::domain::ids::FilePath;

/// Says of each field what it held and what it holds now. `by` is whose change it was.
pub(super) fn outcomes(fields: &[(FilePath, FieldResult)], by: &str) -> String {
    let each: Vec<_> = fields
        .iter()
        .map(|(path, field)| {
            let place = format!("{path}: {}", field.address);
            Told { place, old: &field.old_text, new: &field.new_text, by, now: Some(now_text(field)) }
        })
        .collect();
    told_of(&each)
}

/// The same of the fields of a file that is not put back, as far as they are found in what it holds now. Of a file without fields, such as
/// an archive, the ids of its bytes.
pub(super) fn held_now(
    (deployment, by): (&Deployment, &str),
    path: &FilePath,
    current: Option<&Content>,
) -> String {
    let of_file: Vec<&FieldChange> = deployment.fields.iter().filter(|field| field.path == *path).collect();
    if of_file.is_empty() {
        return bytes_now((deployment, by), path, current);
    }
    let addresses: Vec<&str> = of_file.iter().map(|field| field.address.as_str()).collect();
    let values = current.and_then(Content::bytes).map(|bytes| field::values_at(bytes, &addresses));
    let values = values.unwrap_or_default().into_iter().chain(std::iter::repeat(None));
    let each: Vec<_> = of_file
        .iter()
        .zip(values)
        .filter(|(field, _)| !field.old.is_empty() || !field.new.is_empty())
        .map(|(field, now)| Told { place: field.address.clone(), old: &field.old, new: &field.new, by, now })
        .collect();
    told_of(&each)
}

/// Says by the ids of Git what a file of the deployment was and is.
fn bytes_now((deployment, by): (&Deployment, &str), path: &FilePath, current: Option<&Content>) -> String {
    let Some(file) = deployment.files.iter().find(|file| file.path == *path) else { return String::new() };
    let id = |version: &Option<FileVersion>| {
        version.as_ref().map_or_else(String::new, |version| version.blob.short())
    };
    let (old, new) = (id(&file.old), id(&file.new));
    let is = |version: &Option<FileVersion>| version.as_ref().map(Content::from).as_ref() == current;
    let now = match current {
        None => "gone".to_owned(),
        Some(_) if is(&file.new) => new.clone(),
        Some(_) if is(&file.old) => old.clone(),
        Some(Content::Unread(id)) => id.short(),
        Some(Content::Bytes(bytes)) => format!("other {} bytes", bytes.len()),
    };
    told_of(&[Told { place: "its bytes".to_owned(), old: &old, new: &new, by, now: Some(now) }])
}
