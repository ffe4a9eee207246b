//! The slab classes of a memcached, computed from its options, and what objects waste in them.
//!
//! The arithmetic is the storage engine's own. Nothing runs: the machine computes its tables when
//! it starts. An object is what `-n` counts: key, value, flags and what goes between them. It
//! wastes what its chunk is larger than object and header, and its part of the end of a page that
//! no chunk fits into.

use super::kinds::{Boxed, Measures, ModelKind, ModelSpec};
use super::results::{Result, Results};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{BYTES, Fields, SHARE};
use crate::metric::{Kind, MetricDef};
use crate::read::Parts;
use crate::story::Setup;
use std::collections::BTreeMap;
use std::sync::Arc;
use storytime_machine::{Boot, Cx, Machine};
use storytime_memcached::cache::{Class, Table};

/// A table of slab classes.
pub const KIND: ModelKind = ModelKind {
    name: "slab-table",
    fields: &[
        "header",
        "min",
        "factor",
        "align",
        "page",
        "chunk_max",
        "classes",
        "objects",
        "step",
    ],
    works: &[],
    read,
};

const METRICS: &[MetricDef] = &[
    MetricDef { name: "chunk_bytes", kind: Kind::Curve("class"), label: "size of a chunk, bytes" },
    MetricDef { name: "per_page", kind: Kind::Curve("class"), label: "chunks in a page" },
    MetricDef { name: "classes", kind: Kind::Count, label: "classes" },
    MetricDef {
        name: "waste",
        kind: Kind::ShareCurve("size of the object, bytes"),
        label: "memory wasted",
    },
];

/// Largest page, bytes.
const PAGE_BYTES_MAX: u64 = 1 << 30;
/// Most points of the curve of waste.
const POINTS_MAX: u64 = 10_000;

/// The numbers.
#[derive(Clone, Debug)]
struct SlabTable {
    table: Table,
    /// Smallest and largest object, bytes.
    objects: (u64, u64),
    /// From one to the next, bytes.
    step: u64,
}

fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Arc<dyn ModelSpec>> {
    let page_bytes = bytes(fields, "page", 1 << 10..=PAGE_BYTES_MAX)?;
    let table = Table {
        header_bytes: bytes(fields, "header", 0..=1_000)?,
        chunk_bytes_min: bytes(fields, "min", 1..=u64::from(page_bytes))?,
        factor_millionths: factor(fields)?,
        align_bytes: bytes(fields, "align", 1..=64)?,
        page_bytes,
        chunk_bytes_max: bytes(fields, "chunk_max", 1..=u64::from(page_bytes))?,
        classes_max: fields.integer("classes", 1..=255, None)? as u32,
    };
    let objects = fields.range("objects", BYTES, None)?;
    let step = u64::from(bytes(fields, "step", 1..=PAGE_BYTES_MAX)?);
    if objects.1 > u64::from(page_bytes) || (objects.1 - objects.0) / step > POINTS_MAX {
        let at = &fields.required("objects", "")?.span;
        let title = "objects larger than a page, or too many of them";
        let label = format!("expected at most {POINTS_MAX} sizes, none above a page");
        return Err(Diagnostic::at(at, title, label).into());
    }
    Ok(Arc::new(SlabTable { table, objects, step }))
}

fn bytes(fields: &Fields<'_>, key: &str, range: std::ops::RangeInclusive<u64>) -> Checked<u32> {
    let bytes = fields.quantity(key, BYTES, None)?;
    if range.contains(&bytes) {
        return Ok(bytes as u32);
    }
    let title = format!("`{key}` is out of range: {bytes} bytes");
    let label = format!("expected {} to {} bytes", range.start(), range.end());
    Err(Diagnostic::at(&fields.required(key, "")?.span, title, label).into())
}

fn factor(fields: &Fields<'_>) -> Checked<u32> {
    let factor = fields.quantity("factor", SHARE, None)?;
    let fits = |millionths: &u32| (1_000_001..=1_000_000_000).contains(millionths);
    u32::try_from(factor.0).ok().filter(fits).ok_or_else(|| {
        let title = "classes do not grow by this factor";
        match fields.required("factor", "") {
            Ok(node) => Diagnostic::at(&node.span, title, "expected more than 1").into(),
            Err(missing) => missing,
        }
    })
}

impl ModelSpec for SlabTable {
    fn metrics(&self) -> &'static [MetricDef] {
        METRICS
    }

    fn words(&self) -> String {
        let Table { header_bytes, chunk_bytes_min, page_bytes, .. } = self.table;
        format!("header {header_bytes} B, -n {chunk_bytes_min}, pages of {page_bytes} B")
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn build(&self, _setup: &Setup) -> Boxed {
        Box::new(Computed { numbers: self.clone(), classes: Vec::new() })
    }
}

#[derive(Debug)]
struct Computed {
    numbers: SlabTable,
    classes: Vec<Class>,
}

impl Computed {
    /// What an object wastes of a page that is full of its like: part, whole.
    fn waste(&self, object: u64) -> Option<(u64, u64)> {
        let item = object + u64::from(self.numbers.table.header_bytes);
        let class = self.classes.iter().find(|class| u64::from(class.chunk_bytes) >= item)?;
        let page = u64::from(self.numbers.table.page_bytes);
        Some((page - item * u64::from(class.chunks_per_page), page))
    }
}

impl Measures for Computed {
    fn results(&self) -> Results {
        let classes = || (1..).zip(&self.classes);
        let curve = |of: fn(&Class) -> u32| {
            Result::Curve(classes().map(|(n, class)| (n, u64::from(of(class)))).collect())
        };
        let (least, most) = self.numbers.objects;
        let objects = (least..=most).step_by(self.numbers.step as usize);
        let waste: BTreeMap<u64, (u64, u64)> =
            objects.filter_map(|object| Some((object, self.waste(object)?))).collect();
        Results(
            [
                ("chunk_bytes", curve(|class| class.chunk_bytes)),
                ("per_page", curve(|class| class.chunks_per_page)),
                ("classes", Result::Count(self.classes.len() as u64)),
                ("waste", Result::ShareCurve(waste)),
            ]
            .into(),
        )
    }
}

impl Machine for Computed {
    fn start(&mut self, _cx: &mut Cx, _boot: Boot) {
        self.classes = self.numbers.table.classes();
    }
}
