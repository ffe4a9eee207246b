//! From a scenario file to a [`Story`]: reading, checking, resolving names.
//!
//! | module | reads |
//! |---|---|
//! | here | `[story]`, `[[variant]]`, `[campaign]`, `[real]`; what is laid over what |
//! | `sweep` | `[sweep]` |
//! | `rack` | `[[disk]]`, `[[host]]`, `[network]`, `[[link]]` |
//! | `sites` | `[[cluster]]`, `[[class]]` |
//! | `work` | `[[model]]`, `[[load]]`, `[costs]` |
//! | `timeline` | `[[timeline]]` |
//! | `fit` | `[[fit]]` |
//! | `expect`, `measure` | `[[expect]]` |
//! | `chart` | `[[chart]]` |
//!
//! Laid over the file, in this order, the later winning: the profile's `set`, the variant's, the
//! sweep's, `--set`. Each variant is read as a whole on its own, at each point of the sweep: a
//! mistake that only shows with a variant or a profile is found before anything runs.

mod chart;
mod expect;
mod files;
mod fit;
mod measure;
mod rack;
pub(crate) mod sites;
mod sweep;
mod timeline;
pub(crate) mod work;

pub use work::{Parts, name_fits};

use crate::diagnostic::{Checked, Diagnostic, Source};
use crate::fields::{DURATION, Fields, Word, unknown, wrong};
use crate::overlay::{OVERRIDES_MAX, Override, REPEATED_SECTIONS, SINGLE_SECTIONS};
use crate::story::{BUCKETS_MAX, Card, DURATION_MAX, Profile, Setup, Story, VARIANTS_MAX, Variant};
use crate::tree::{self, Node, Table, Value};
use crate::units::show_duration;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storytime_machine::nanos;

/// A scenario file, parsed.
#[derive(Clone, Debug)]
pub struct File {
    source: Arc<Source>,
    tree: Table,
}

/// A variant's name and what it lays over the file.
struct VariantSection {
    name: Option<Word>,
    overlay: Vec<Override>,
}

impl File {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// If it cannot be read, is too large, not UTF-8 or not TOML.
    pub fn open(path: &Path) -> Checked<Self> {
        Self::parse(tree::read_source(path)?)
    }

    /// Parses bytes under a name that stands for the file in messages.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Checked<Self> {
        Self::parse(tree::source_from_bytes(name, bytes)?)
    }

    fn parse(source: Source) -> Checked<Self> {
        let source = Arc::new(source);
        let tree = tree::parse(&source)?;
        Ok(Self { source, tree })
    }

    /// What the story is about.
    ///
    /// # Errors
    /// If `[story]` is missing or wrong.
    pub fn card(&self) -> Checked<Card> {
        let root = self.root(&self.tree);
        card(&story_section(&sections(&root)?)?)
    }

    /// The story's id and its place, to find two files with one id.
    ///
    /// # Errors
    /// If `[story]` is missing or wrong.
    pub fn id(&self) -> Checked<Word> {
        let root = self.root(&self.tree);
        story_section(&sections(&root)?)?.text("id", "the name typed after `storytime run`")
    }

    /// The whole story in a profile, with overrides.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn story(&self, profile: Profile, overrides: &[Override]) -> Checked<Story> {
        if overrides.len() > OVERRIDES_MAX {
            let title = format!("more than {OVERRIDES_MAX} overrides");
            return Err(Diagnostic::plain(title).help("put them into the file").into());
        }
        // Once without anything laid over: the file itself must make sense first.
        if profile != Profile::Full || !overrides.is_empty() {
            self.resolve(Profile::Full, &[])?;
        }
        self.resolve(profile, overrides)
    }

    /// Checks the story in every profile.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn check(&self) -> Checked<()> {
        for profile in [Profile::Full, Profile::Campaign, Profile::Real] {
            self.resolve(profile, &[])?;
        }
        Ok(())
    }

    fn root(&self, tree: &Table) -> Node {
        let span = crate::diagnostic::Span { source: Arc::clone(&self.source), bytes: 0..0 };
        Node { value: Value::Table(tree.clone()), span }
    }

    fn resolve(&self, profile: Profile, overrides: &[Override]) -> Checked<Story> {
        let mut tree = self.tree.clone();
        let base = self.root(&tree);
        for set in profile_section(&sections(&base)?, profile)? {
            set.apply(&mut tree)?;
        }
        for set in overrides {
            set.apply(&mut tree)?;
        }
        let root = self.root(&tree);
        let top = sections(&root)?;
        let card = card(&story_section(&top)?)?;
        let names = variant_sections(&top)?;
        let for_real = real_variants(&top, &names)?;
        let swept = sweep::sweep(&top)?;
        let points = swept.points(names.len())?;
        let all: Vec<Word> = names.iter().filter_map(|section| section.name.clone()).collect();
        let mut variants = Vec::new();
        for (section, point) in names.iter().flat_map(|s| points.iter().map(move |p| (s, *p))) {
            let mut tree = tree.clone();
            let at = swept.overlay(point);
            for set in section.overlay.iter().chain(&at).chain(overrides) {
                set.apply(&mut tree)?;
            }
            let root = self.root(&tree);
            let setup = setup(&sections(&root)?, &all, section.name.as_ref())?;
            let base = section.name.as_ref().map(|word| word.text.clone());
            let chosen = base.as_ref().is_some_and(|name| for_real.contains(name));
            let real = for_real.is_empty() || chosen;
            let name = swept.name(base.as_deref(), point);
            variants.push(Variant { name, base, point, real, setup });
        }
        let (fits, expects, charts) = (Vec::new(), Vec::new(), Vec::new());
        let sweep = swept.sweep;
        let mut story = Story { card, variants, sweep, fits, expects, charts, profile };
        story.fits = fit::fits(&top, &story)?;
        story.expects = expect::expects(&top, &story)?;
        story.charts = chart::charts(&top, &story)?;
        Ok(story)
    }
}

/// Finds two files with one story id.
///
/// # Errors
/// If there are two, or a file has no valid `[story]`.
pub fn check_ids(files: &[File]) -> Checked<()> {
    for (n, file) in files.iter().enumerate() {
        let id = file.id()?;
        for earlier in &files[..n] {
            let first = earlier.id()?;
            if first.text == id.text {
                let title = format!("two stories have the id `{}`", id.text);
                return Err(Diagnostic::at(&id.span, title, "used a second time here")
                    .help(format!("the other is in {}", first.span.source.name))
                    .into());
            }
        }
    }
    Ok(())
}

fn sections(root: &Node) -> Checked<Fields<'_>> {
    let known: Vec<&str> = SINGLE_SECTIONS.iter().chain(REPEATED_SECTIONS).copied().collect();
    Fields::of(root, "a scenario file", &known)
}

const STORY_FIELDS: &[&str] =
    &["id", "title", "source", "asks", "shows", "duration", "bucket", "measured_from", "real"];

fn story_section<'a>(top: &Fields<'a>) -> Checked<Fields<'a>> {
    let node = top.required("story", "a section `[story]` with id, title, asks and duration")?;
    Fields::of(node, "[story]", STORY_FIELDS)
}

fn card(story: &Fields<'_>) -> Checked<Card> {
    let id = story.text("id", "the name typed after `storytime run`")?;
    check_name(&id, "story")?;
    let text = |key, expected| story.text(key, expected).map(|word| word.text);
    Ok(Card {
        id: id.text,
        title: text("title", "a heading")?,
        source: text("source", "where it was told, such as \"LJ 37\"")?,
        asks: text("asks", "the question, as a sentence or two")?,
        shows: text("shows", "what the run must show, as a sentence or two")?,
        real: story.flag("real", false)?,
    })
}

/// Names become parts of paths, files and pages: letters, digits, dashes.
fn check_name(word: &Word, what: &str) -> Checked<()> {
    let fits = word.text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if fits && (1..=64).contains(&word.text.len()) {
        return Ok(());
    }
    let title = format!("`{}` cannot be the name of a {what}", word.text);
    Err(Diagnostic::at(&word.span, title, "expected letters, digits and dashes, at most 64").into())
}

/// Refuses a second element with the same name.
fn check_unique(names: &[Word], what: &str) -> Checked<()> {
    for (n, word) in names.iter().enumerate() {
        check_name(word, what)?;
        if let Some(first) = names[..n].iter().find(|first| first.text == word.text) {
            let title = format!("two {what}s are called `{}`", word.text);
            return Err(Diagnostic::at(&word.span, title, "used a second time here")
                .also(&first.span, "first used here")
                .help("give one of them another name")
                .into());
        }
    }
    Ok(())
}

/// The index of a name.
fn index_of(names: &[Word], word: &Word, what: &str) -> Checked<usize> {
    names
        .iter()
        .position(|name| name.text == word.text)
        .ok_or_else(|| unknown(word, what, names.iter().map(|name| name.text.as_str())).into())
}

/// The `set` of `[campaign]` or `[real]`.
fn profile_section(top: &Fields<'_>, profile: Profile) -> Checked<Vec<Override>> {
    let (section, known): (_, &[&str]) = match profile {
        Profile::Full => return Ok(Vec::new()),
        Profile::Campaign => ("campaign", &["set"]),
        Profile::Real => ("real", &["set", "variants"]),
    };
    let Some(node) = top.get(section) else { return Ok(Vec::new()) };
    overlay(&Fields::of(node, &format!("[{section}]"), known)?)
}

fn overlay(fields: &Fields<'_>) -> Checked<Vec<Override>> {
    let Some(node) = fields.get("set") else { return Ok(Vec::new()) };
    let Value::Table(set) = &node.value else {
        let expected = "a table such as { \"load.web.placement\" = \"ring\" }";
        return Err(wrong(node, "set", expected).into());
    };
    set.entries.iter().map(Override::from_entry).collect()
}

fn variant_sections(top: &Fields<'_>) -> Checked<Vec<VariantSection>> {
    let mut found = Vec::new();
    for node in top.tables("variant", VARIANTS_MAX)? {
        let fields = Fields::of(node, "variant", &["name", "says", "set"])?;
        let name = fields.text("name", "what charts and expectations call it")?;
        found.push(VariantSection { name: Some(name), overlay: overlay(&fields)? });
    }
    let names: Vec<Word> = found.iter().filter_map(|v| v.name.clone()).collect();
    check_unique(&names, "variant")?;
    if found.is_empty() {
        found.push(VariantSection { name: None, overlay: Vec::new() });
    }
    Ok(found)
}

/// The variants that also run on real sockets; empty means all.
fn real_variants(top: &Fields<'_>, sections: &[VariantSection]) -> Checked<Vec<String>> {
    let Some(node) = top.get("real") else { return Ok(Vec::new()) };
    let fields = Fields::of(node, "[real]", &["set", "variants"])?;
    let names: Vec<Word> = sections.iter().filter_map(|s| s.name.clone()).collect();
    let chosen = fields.texts("variants", "a list of variants")?;
    for word in &chosen {
        index_of(&names, word, "variant")?;
    }
    Ok(chosen.into_iter().map(|word| word.text).collect())
}

fn setup(top: &Fields<'_>, variants: &[Word], variant: Option<&Word>) -> Checked<Setup> {
    let story = story_section(top)?;
    let duration = story.quantity("duration", DURATION, None)?;
    let at = &story.required("duration", "")?.span;
    if duration.is_zero() || duration > DURATION_MAX {
        let title = format!("a story of {} cannot be run", show_duration(nanos(duration)));
        let label = format!("expected more than 0s, at most {}h", DURATION_MAX.as_secs() / 3600);
        return Err(Diagnostic::at(at, title, label).into());
    }
    let bucket = story.quantity("bucket", DURATION, Some(duration / 100))?;
    if bucket.is_zero() || nanos(duration).div_ceil(nanos(bucket).max(1)) > BUCKETS_MAX {
        let title = format!("a time series of more than {BUCKETS_MAX} buckets");
        let at = story.get("bucket").map_or(at, |node| &node.span);
        return Err(Diagnostic::at(at, title, "this width is too small for the duration")
            .help(format!("at least {}", show_duration(nanos(duration).div_ceil(BUCKETS_MAX))))
            .into());
    }
    let measured_from = story.quantity("measured_from", DURATION, Some(Duration::ZERO))?;
    if add(measured_from, bucket) > duration {
        let at = &story.required("measured_from", "")?.span;
        let title = "nothing is left to measure";
        return Err(Diagnostic::at(at, title, "expected a bucket before the story's end").into());
    }
    let (hosts, host_names) = rack::hosts(top)?;
    let link = rack::network(top)?;
    let links = rack::links(top, &host_names, link)?;
    let host_names = &host_names[..];
    let bare = Parts { duration, ..Parts::of_hosts(&hosts, host_names) };
    let files = files::files(top, &bare)?;
    let (clusters, cluster_names) = sites::clusters(top, &bare)?;
    let (classes, class_names) = sites::classes(top, &cluster_names)?;
    let (models, model_names) = work::models(top, &bare)?;
    let model_names = &model_names[..];
    let parts = Parts {
        models: &models,
        model_names,
        clusters: &clusters,
        cluster_names: &cluster_names,
        classes: &classes,
        class_names: &class_names,
        ..bare
    };
    let (loads, load_names) = work::loads(top, &parts)?;
    check_sources_differ(host_names, model_names, &load_names)?;
    let load_names = &load_names[..];
    let (hosts_, loads_) = (&hosts[..], &loads[..]);
    let parts =
        timeline::Parts { hosts: hosts_, host_names, loads: loads_, load_names, variants, variant };
    let timeline = timeline::timeline(top, &parts, duration)?;
    let costs = work::costs(top)?;
    Ok(Setup {
        duration,
        bucket,
        measured_from,
        hosts,
        link,
        links,
        clusters,
        classes,
        files,
        models,
        loads,
        timeline,
        costs,
    })
}

/// A metric's first part must mean one thing.
fn check_sources_differ(hosts: &[Word], models: &[Word], loads: &[Word]) -> Checked<()> {
    for (names, others) in [(loads, models), (loads, hosts)] {
        for word in names {
            if let Some(first) = others.iter().find(|other| other.text == word.text) {
                let title = format!("`{}` names two things that have metrics", word.text);
                return Err(Diagnostic::at(&word.span, title, "a load has this name")
                    .also(&first.span, "and so has this")
                    .help("give one of them another name")
                    .into());
            }
        }
    }
    Ok(())
}

/// Adds durations of a file, which may be as long as they like.
fn add(a: Duration, b: Duration) -> Duration {
    a.saturating_add(b)
}
