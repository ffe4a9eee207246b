//! Equal reads at the same time are one, and nobody reads what is older than their own write.

use crate::net::{Net, simple};

#[test]
fn many_clients_who_want_one_key_at_once_cost_one_request() {
    let mut net = Net::new(simple(&[1]), &[1]);
    net.directly(1, b"set hot 0 0 5\r\nvalue\r\n");
    let clients: Vec<_> = (0..100).map(|_| net.open()).collect();
    clients.iter().for_each(|&conn| net.say(conn, "get hot\r\nget cold hot\r\n"));
    net.run();
    for conn in clients {
        let value = "VALUE hot 0 5\r\nvalue\r\nEND\r\n";
        assert_eq!(net.hear(conn), value.repeat(2));
    }
    assert_eq!(net.counter("sent"), 2, "one for each key");
    assert_eq!(net.counter("shared"), 298);
}

#[test]
fn different_questions_about_one_key_are_not_mixed_up() {
    let mut net = Net::new(simple(&[1]), &[1]);
    net.directly(1, b"set k 0 0 1\r\nx\r\n");
    let (a, b) = (net.open(), net.open());
    net.say(a, "get k\r\n");
    net.say(b, "gets k\r\n");
    net.run();
    assert_eq!(net.hear(a), "VALUE k 0 1\r\nx\r\nEND\r\n");
    assert!(net.hear(b).starts_with("VALUE k 0 1 "));
    assert_eq!(net.counter("shared"), 0);
}

#[test]
fn whoever_wrote_reads_their_own_write_while_others_read() {
    let mut net = Net::new(simple(&[1]), &[1]);
    net.directly(1, b"set k 0 0 3\r\nold\r\n");
    let (reader, writer) = (net.open(), net.open());
    net.silence(1);
    net.say(reader, "get k\r\n");
    net.say(writer, "set k 0 0 3 noreply\r\nnew\r\nget k\r\n");
    net.say(reader, "get k\r\n");
    net.heal(1);
    net.run();
    assert_eq!(net.hear(writer), "VALUE k 0 3\r\nnew\r\nEND\r\n");
    let heard = net.hear(reader);
    assert!(heard.starts_with("VALUE k 0 3\r\nold\r\nEND\r\nVALUE k 0 3\r\nnew"), "{heard}");
    assert_eq!(net.counter("shared"), 0);
}

#[test]
fn a_client_that_leaves_takes_nobodys_answer_along() {
    let mut net = Net::new(simple(&[1]), &[1]);
    net.directly(1, b"set k 0 0 1\r\nx\r\n");
    let (first, second) = (net.open(), net.open());
    net.say(first, "get k\r\n");
    net.say(second, "get k\r\n");
    net.drop_client(first);
    net.run();
    assert_eq!(net.hear(second), "VALUE k 0 1\r\nx\r\nEND\r\n");
    assert_eq!(net.counter("requests_under_way"), 0);
}

#[test]
fn sharing_can_be_switched_off() {
    let config = storytime_mcproxy::Config { share_gets: false, ..simple(&[1]) };
    let mut net = Net::new(config, &[1]);
    let clients: Vec<_> = (0..5).map(|_| net.open()).collect();
    clients.iter().for_each(|&conn| net.say(conn, "get k\r\n"));
    net.run();
    assert_eq!(net.counter("sent"), 5);
}
