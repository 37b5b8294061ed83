//! Drafts, the sets that the web interface lists, and who is online for a pipeline.

use std::collections::BTreeMap;

use trapline_core::{
    CollectionId, ProjectId, Timestamp,
    catalog::{Collection, Draft},
};

use super::{CatalogRows, at};
use crate::memory::Db;

impl CatalogRows {
    pub(super) fn save_draft(&mut self, draft: &Draft) {
        let begun = self.drafts.get(&draft.set).map(|d| d.created_at);
        let draft = Draft {
            created_at: begun.unwrap_or(draft.created_at),
            ..draft.clone()
        };
        self.drafts.insert(draft.set, draft);
    }

    pub(super) fn end_draft(&mut self, set: CollectionId, name: &str) -> bool {
        if self.drafts.remove(&set).is_none() {
            return false;
        }
        if let Some((collection, _)) = self.collections.get_mut(at(set.0)) {
            name.clone_into(&mut collection.name);
        }
        true
    }

    /// Takes away the oldest draft that was begun before a time, and returns its set.
    pub(super) fn take_old_draft(&mut self, before: Timestamp) -> Option<CollectionId> {
        let old = self.drafts.values().filter(|d| d.created_at < before);
        let set = old.min_by_key(|d| d.created_at)?.set;
        self.drafts.remove(&set);
        Some(set)
    }

    pub(super) fn recent_sets(
        &self,
        project: Option<ProjectId>,
        before: Option<CollectionId>,
        limit: u64,
        count_max: u64,
    ) -> Vec<Collection> {
        let newest = self.collections.iter().rev().map(|(set, _)| set);
        let shown = newest.filter(|set| {
            let is_older = before.is_none_or(|before| set.id < before);
            is_older && !set.name.is_empty() && project.is_none_or(|of| set.project == of)
        });
        let counted = |set: &Collection| Collection {
            captures: set.captures.min(count_max),
            ..set.clone()
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        shown.take(limit).map(counted).collect()
    }
}

impl Db {
    pub(super) fn online_workers(&self, project: ProjectId, seen_since: Timestamp) -> Vec<(String, u64)> {
        let mut online: BTreeMap<String, u64> = BTreeMap::new();
        for worker in self
            .workers
            .values()
            .filter(|w| w.last_seen >= seen_since && !w.draining)
        {
            let bound = self.catalog.bound_to(worker.token);
            for slug in worker
                .pipelines
                .iter()
                .filter(|_| bound.is_none_or(|of| of == project))
            {
                *online.entry(slug.clone()).or_default() += 1;
            }
        }
        online.into_iter().collect()
    }
}
