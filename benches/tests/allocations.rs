//! In the steady state a message costs no allocation.
//!
//! A global allocator counts, for each thread on its own; the tests run as they come.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use storytime_benches::cache::{Cache, Pipeline};
use storytime_benches::echo_world::{EchoWorld, Shape};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and no test either.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract;
// the counter neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `alloc`; `at` came from this allocator and so from the system's.
        unsafe { System.realloc(at, layout, new_size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from this allocator and so from the system's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn an_echo_in_the_simulator_allocates_nothing_per_message() {
    for conns in [1, 100, 1_000] {
        let mut world = EchoWorld::new(Shape::from_one_host(conns));
        world.warm_up();
        let before = world.answered();
        let allocations = allocations_of(|| world.run_messages(100_000));
        assert!(world.answered() - before >= 100_000, "messages went round");
        assert_eq!(allocations, 0, "{conns} connections");
    }
}

#[test]
fn memcached_allocates_nothing_per_get() {
    let mut cache = Cache::new();
    cache.ask(&Pipeline::sets(1_000, 100).bytes);
    let gets = Pipeline::gets(1_000);
    let mut single = gets.bytes.split_inclusive(|&byte| byte == b'\n').cycle();
    let mut ask = |cache: &mut Cache| {
        assert!(cache.ask(&gets.bytes).len() > 100_000, "the values are found");
        for _ in 0..1_000 {
            cache.ask(single.next().expect("there are gets"));
        }
    };
    (0..3).for_each(|_| ask(&mut cache));
    assert_eq!(allocations_of(|| (0..10).for_each(|_| ask(&mut cache))), 0);
}

#[test]
fn memcached_allocates_once_per_set_for_the_item_itself() {
    let mut cache = Cache::new();
    let sets = Pipeline::sets(1_000, 100);
    (0..3).for_each(|_| assert_eq!(cache.ask(&sets.bytes).len(), 8_000));
    let again = allocations_of(|| (0..10).for_each(|_| _ = cache.ask(&sets.bytes)));
    assert!(again <= 10 * sets.requests, "{again} allocations for {} sets", 10 * sets.requests);
}

#[test]
fn the_counter_counts() {
    let boxes = allocations_of(|| (0..100).for_each(|n| drop(std::hint::black_box(Box::new(n)))));
    assert_eq!(boxes, 100);
}
