//! What a programme declares by name alone: brands, channels, stores, and the tags of members.
//!
//! Every name but a brand's has a number, given once. Nothing is said here of what comes of a name: other sections refer to it.

use super::reader::{Fields, Value};
use super::{Channel, Numbering, Store, Tag};

/// As many tags as an answer tells.
const TAGS_MOST: usize = 64;
/// A quota by store counts in a cell for each.
const STORES_MOST: usize = 1_000;

/// The brands that orders may name.
pub(super) fn brands(top: &Fields) -> Option<Vec<String>> {
    let value = top.need("brands", "brands = [\"my-brand\"]")?;
    let brands = value.names()?;
    if brands.is_empty() {
        value.error("`brands` is empty", "name at least one brand");
    }
    Some(brands)
}

/// The channels that orders come through.
pub(super) fn channels(top: &Fields, numbering: &mut Numbering) -> Option<Vec<Channel>> {
    let Some(value) = top.get("channels") else {
        if top.get("earning").is_some() {
            top.need(
                "channels",
                "channels = [\"store\", \"tmall\"], as [earning] counts orders that come through them",
            );
            return None;
        }
        return Some(Vec::new());
    };
    let mut channels = Vec::new();
    for slug in value.names()? {
        match numbering.channel(&slug) {
            Ok(number) => channels.push(Channel { number, slug }),
            Err(_) => {
                value
                    .error("there are no numbers left for new channels", "a programme has at most 65535 over its life");
                return None;
            }
        }
    }
    Some(channels)
}

/// What members can be tagged with.
pub(super) fn tags(top: &Fields, numbering: &mut Numbering) -> Option<Vec<Tag>> {
    let Some(value) = top.get("tags") else { return Some(Vec::new()) };
    let names = value.names()?;
    if names.len() > TAGS_MOST {
        value.error(format!("there are {} tags", names.len()), format!("a programme has at most {TAGS_MOST}"));
        return None;
    }
    let mut tags = Vec::new();
    for slug in names {
        let Ok(number) = numbering.rule(&format!("tag/{slug}")) else {
            value.error("there are no numbers left for new tags", "a programme names at most 8000 rules over its life");
            return None;
        };
        tags.push(Tag { number, slug });
    }
    Some(tags)
}

/// The number of the tag that a text names.
pub(super) fn tag(item: &Value, tags: &[Tag]) -> Option<u16> {
    let name = item.opaque()?;
    let found = tags.iter().find(|tag| tag.slug == name);
    if found.is_none() {
        item.error(format!("there is no tag \"{name}\""), format!("add it: tags = [\"{name}\"]"));
    }
    found.map(|tag| tag.number)
}

/// The stores that quotas can be by.
pub(super) fn stores(top: &Fields, numbering: &mut Numbering) -> Option<Vec<Store>> {
    let Some(value) = top.get("stores") else { return Some(Vec::new()) };
    let names = value.names()?;
    if names.len() > STORES_MOST {
        value.error(format!("there are {} stores", names.len()), format!("a programme has at most {STORES_MOST}"));
        return None;
    }
    let mut stores = Vec::new();
    for slug in names {
        let Ok(number) = numbering.store(&slug) else {
            value.error("there are no numbers left for new stores", "a programme has at most 65535 over its life");
            return None;
        };
        stores.push(Store { number, slug });
    }
    Some(stores)
}
