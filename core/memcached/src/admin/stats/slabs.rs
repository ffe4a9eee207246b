//! `stats items`, `stats slabs`, `stats sizes`.

use super::Each;
use crate::cache::{ClassCount, ClassStats};
use crate::session::Session;
use core::fmt::{self, Display};
use std::collections::BTreeMap;

/// Figures of one class, behind a prefix of their names.
struct Figures<'a, 'b> {
    prefix: fmt::Arguments<'a>,
    each: &'b mut dyn FnMut(&str, fmt::Arguments<'_>),
}

impl Figures<'_, '_> {
    fn give(&mut self, name: &str, value: impl Display) {
        (self.each)(&format!("{}{name}", self.prefix), format_args!("{value}"));
    }
}

pub(super) fn give_items(session: &Session<'_>, each: Each<'_>) {
    let shared = session.shared;
    let temporary = shared.ops.tuning().lru.temporary_ttl.is_some();
    for class in 1..=shared.classes() {
        let stats = shared.class_totals(class, session.now);
        if stats.items > 0 {
            let prefix = format_args!("items:{class}:");
            items(&stats, session.config.maintainer, temporary, Figures { prefix, each });
        }
    }
}

fn items(stats: &ClassStats, lists: bool, temporary: bool, mut figures: Figures<'_, '_>) {
    let [hot, warm, cold, temp] = stats.items_in;
    let [age_hot, age_warm, age] = stats.age;
    figures.give("number", stats.items);
    if lists {
        figures.give("number_hot", hot);
        figures.give("number_warm", warm);
        figures.give("number_cold", cold);
        if temporary {
            figures.give("number_temp", temp);
        }
        figures.give("age_hot", age_hot);
        figures.give("age_warm", age_warm);
    }
    figures.give("age", age);
    figures.give("mem_requested", stats.mem_requested);
    let mut count = |of: ClassCount| figures.give(of.name(), stats.counts.get(of));
    count(ClassCount::Evicted);
    count(ClassCount::EvictedNonzero);
    figures.give("evicted_time", stats.evicted_time);
    let mut count = |of: ClassCount| figures.give(of.name(), stats.counts.get(of));
    for of in [
        ClassCount::OutOfMemory,
        ClassCount::Tailrepairs,
        ClassCount::Reclaimed,
        ClassCount::ExpiredUnfetched,
        ClassCount::EvictedUnfetched,
    ] {
        count(of);
    }
    if lists {
        count(ClassCount::EvictedActive);
    }
    for of in [
        ClassCount::CrawlerReclaimed,
        ClassCount::CrawlerItemsChecked,
        ClassCount::LrutailReflocked,
    ] {
        count(of);
    }
    if lists {
        for of in [
            ClassCount::MovesToCold,
            ClassCount::MovesToWarm,
            ClassCount::MovesWithinLru,
            ClassCount::DirectReclaims,
            ClassCount::HitsToHot,
            ClassCount::HitsToWarm,
            ClassCount::HitsToCold,
            ClassCount::HitsToTemp,
        ] {
            count(of);
        }
    }
}

pub(super) fn give_slabs(session: &Session<'_>, each: Each<'_>) {
    let shared = session.shared;
    let mut active = 0;
    for class in 1..=shared.classes() {
        let stats = shared.class_totals(class, session.now);
        if stats.pages == 0 {
            continue;
        }
        active += 1;
        let mut figures = Figures { prefix: format_args!("{class}:"), each };
        figures.give("chunk_size", stats.chunk_bytes);
        figures.give("chunks_per_page", stats.chunks_per_page);
        figures.give("total_pages", stats.pages);
        figures.give("total_chunks", stats.pages * u64::from(stats.chunks_per_page));
        figures.give("used_chunks", stats.used_chunks);
        figures.give("free_chunks", stats.free_chunks);
        figures.give("free_chunks_end", 0);
        for of in [
            ClassCount::GetHits,
            ClassCount::CmdSet,
            ClassCount::DeleteHits,
            ClassCount::IncrHits,
            ClassCount::DecrHits,
            ClassCount::CasHits,
            ClassCount::CasBadval,
            ClassCount::TouchHits,
        ] {
            figures.give(of.name(), stats.counts.get(of));
        }
    }
    each("active_slabs", format_args!("{active}"));
    each("total_malloced", format_args!("{}", shared.totals().1.pages_bytes));
}

pub(super) fn give_sizes(session: &Session<'_>, each: Each<'_>) {
    if !session.config.track_sizes {
        each("sizes_status", format_args!("disabled"));
        return;
    }
    let mut sizes = BTreeMap::new();
    session.shared.each_cache(|cache| {
        for (size, items) in cache.sizes() {
            *sizes.entry(size).or_insert(0) += items;
        }
    });
    for (size, items) in sizes {
        each(&size.to_string(), format_args!("{items}"));
    }
}
