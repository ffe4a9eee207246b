//! Sizes of chunks.

use crate::rig::options;
use storytime_memcached::cache::{Cache, Table};

const TODAY: [u32; 39] = [
    96, 120, 152, 192, 240, 304, 384, 480, 600, 752, 944, 1184, 1480, 1856, 2320, 2904, 3632, 4544,
    5680, 7104, 8880, 11104, 13880, 17352, 21696, 27120, 33904, 42384, 52984, 66232, 82792, 103496,
    129376, 161720, 202152, 252696, 315872, 394840, 524288,
];

fn sizes(table: Table) -> Vec<u32> {
    table.classes().iter().map(|class| class.chunk_bytes).collect()
}

/// Whether a table has these rows one after the other: size of a chunk, chunks in a page.
fn has(table: Table, rows: &[(u32, u32)]) -> bool {
    let all: Vec<(u32, u32)> =
        table.classes().iter().map(|class| (class.chunk_bytes, class.chunks_per_page)).collect();
    all.windows(rows.len()).any(|window| window == rows)
}

#[test]
fn todays_table_is_that_of_the_original() {
    assert_eq!(sizes(Table::TODAY), TODAY);
    assert_eq!(Cache::new(options(64)).classes(), 39);
}

#[test]
fn the_tables_of_1_2_are_those_of_its_day() {
    assert!(has(Table::OF_1_2, &[(394_840, 2), (493_552, 2)]));
    let rows = [(104, 10_082), (136, 7_710), (176, 5_957), (224, 4_681)];
    assert!(has(Table { header_bytes: 56, ..Table::OF_1_2 }, &rows));
}

#[test]
fn a_larger_start_and_a_smaller_factor_make_classes_of_even_steps() {
    let table = Table { chunk_bytes_min: 1000, factor_millionths: 1_010_000, ..Table::OF_1_2 };
    assert!(has(table, &[(1048, 1000), (1064, 985), (1080, 970), (1096, 956)]));
    let end = [(9224, 113), (9320, 112), (1 << 20, 1)];
    assert!(has(table, &end), "and there are no more classes");
    let today = Table { factor_millionths: 1_010_000, ..Table::TODAY };
    assert_eq!(today.classes().len(), 63, "no more classes than a header can name");
}

#[test]
fn stated_sizes_are_the_classes_and_the_largest_chunk_comes_last() {
    let classes = Table::TODAY.explicit(&[100, 200, 200, 1000, 600_000]);
    let sizes: Vec<u32> = classes.iter().map(|class| class.chunk_bytes).collect();
    assert_eq!(sizes, [104, 200, 1000, 524_288]);
}
