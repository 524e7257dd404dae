// SPDX-License-Identifier: Apache-2.0
//
// Every bound that two processes must agree on, with its reason, and the relations between them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cobus::limits {

using std::chrono::milliseconds;

// The first release speaks exactly this version.
inline constexpr std::uint32_t protocol_min = 1;
inline constexpr std::uint32_t protocol_max = 1;
// Bits of what it can do besides: take messages in parts.
inline constexpr std::uint64_t feature_parts = 1;
// It takes envelopes that do not repeat the header of the one before.
inline constexpr std::uint64_t feature_repeats = 2;
inline constexpr std::uint64_t features = feature_parts | feature_repeats;

// A frame collects envelopes until it holds this many bytes: large enough that the cost of a
// ZeroMQ message vanishes, small enough that control waits behind little.
inline constexpr std::size_t frame_bytes_target = 64 * 1024;
// No frame is larger, and none larger is accepted (ZMQ_MAXMSGSIZE).
inline constexpr std::size_t frame_bytes_max = 1024 * 1024;
// CURVE adds this to every frame, and MAXMSGSIZE counts it.
inline constexpr std::size_t curve_overhead_bytes = 33;
// What the frame header and the envelope around one payload may take at most.
inline constexpr std::size_t envelope_overhead_bytes_max = 16 * 1024;
// The longest status that travels; a longer text is cut.
inline constexpr std::size_t status_bytes_max = 8 * 1024;
// The largest payload that goes in one frame. A larger message goes in parts, ...
inline constexpr std::size_t payload_bytes_max = frame_bytes_max - envelope_overhead_bytes_max;
// ... and is at most so large: what one node has of another in parts at once, too.
inline constexpr std::size_t message_bytes_max = 64 * 1024 * 1024;
// One part; small, so that little waits behind it.
inline constexpr std::size_t part_bytes = 128 * 1024;
// No more of them wait for the link at once, for the same reason.
inline constexpr std::size_t parts_ahead_bytes_max = 512 * 1024;
// Of messages that wait to go in parts to one node, from one shard, before senders are told that it is full.
inline constexpr std::size_t parts_waiting_bytes_max = 2 * message_bytes_max;
// What somebody unidentified may send: one Hello.
inline constexpr std::size_t hello_bytes_max = 4 * 1024;
// Bytes that a peer may be sent before it has acknowledged them; they are kept to be sent again.
inline constexpr std::size_t peer_window_bytes_max = 8 * 1024 * 1024;
// Bytes that may wait behind those before senders are told that it is full.
inline constexpr std::size_t peer_waiting_bytes_max = peer_window_bytes_max;
// Both, with what may not be refused beyond that. A peer that is behind by more is taken for down.
inline constexpr std::size_t peer_essential_bytes_max = 4 * peer_window_bytes_max;
// A peer acknowledges what came when it is as much, or has waited for so long.
inline constexpr std::size_t acknowledge_bytes = peer_window_bytes_max / 8;
inline constexpr milliseconds acknowledge_after{100};

// Bounds of a mailbox: many small messages or a few large ones.
inline constexpr std::size_t mailbox_messages_max = 10'000;
inline constexpr std::size_t mailbox_bytes_max = 16 * 1024 * 1024;
// What a mailbox takes beyond them of what was on its way when it told other shards that it is full, so that
// whoever waits for room when told so loses nothing. Of other nodes it takes what each of them may have here.
inline constexpr std::size_t mailbox_overshoot_bytes_max = 64 * 1024 * 1024;
// What one other node may have here at once, all its messages, calls and streams together, until they are
// read. From half of it on its messages are answered with "full", so that those who wait when told so lose
// nothing.
inline constexpr std::size_t peer_held_bytes_max = 64 * 1024 * 1024;
// Items beyond that end their streams. Who goes on until as much is held loses its session.
inline constexpr std::size_t peer_held_bytes_end = 3 * peer_held_bytes_max;
// Of its answers, and of what its workers let ours hear of them, which are always taken: there is as much as
// our own calls and bonds ask for, so who has more here loses its session.
inline constexpr std::size_t peer_answers_bytes_end = 1024 * 1024 * 1024;
// Workers of one other node whose mailboxes a shard knows to be full. Of more it takes no note.
inline constexpr std::size_t full_mailboxes_of_peer_max = 10'000;
// What may wait for one shard of a node before senders from other shards wait and requests of other nodes are
// refused.
inline constexpr std::size_t shard_inbox_bytes_max = 64 * 1024 * 1024;
// Monitors and links that one node may have with the workers of one shard of another.
inline constexpr std::size_t bonds_of_peer_max = 250'000;

// Names: services, methods, workers, nodes.
inline constexpr std::size_t name_bytes_max = 255;

// Failure detection, see guarantee W4.
inline constexpr milliseconds beat_interval{1000};
inline constexpr milliseconds suspect_after{3000};
inline constexpr milliseconds down_after{5000};
// A link loop that came back late by one beat or more gives others as much time again for each, so many times
// at most, and takes one off after so long in time: its own lateness is likelier than their death.
inline constexpr int doubt_max = 3;
inline constexpr milliseconds doubt_eases_after{3000};
// A peer that nobody here can dial has so long to come back when its connection has ended: most often its
// process has. See guarantee W4.
inline constexpr milliseconds return_within{900};
// Redial: first try, growth by two, cap; each with full jitter.
inline constexpr milliseconds redial_first{50};
inline constexpr milliseconds redial_max{2000};
// The cap while a session waits for a new connection, which a peer that cannot dial waits for briefly only.
inline constexpr milliseconds redial_session_max{200};
inline constexpr milliseconds handshake_timeout{5000};
// The same while a session waits, or something to be sent: one that hangs leaves time for others.
inline constexpr milliseconds session_handshake_timeout{1500};
// The keeper runs the link loop when shard 0 has not come back for this long.
inline constexpr milliseconds keeper_after{250};
// A worker that holds its shard longer is reported, see guarantee W8.
inline constexpr milliseconds stall_after{25};

// A shard whose waits are shorter looks about for as long before it sleeps: to fall asleep and to be woken
// takes some 15 us, which shards and libzmq's threads do six times in a call to another process and its
// answer.
inline constexpr std::chrono::microseconds idle_poll_max{200};

// Directory: a lease survives two lost renewals.
inline constexpr milliseconds renew_interval{2000};
inline constexpr milliseconds lease_ttl{6000};
// A broker that has just started says that it may not know every node, for so long at most: as long as nodes
// may wait before they dial it again, and a second to join.
inline constexpr milliseconds filling_max = redial_max + milliseconds{1000};
// What a node may say of itself, and what one event for watchers holds at most.
inline constexpr std::size_t node_record_bytes_max = 64 * 1024;
inline constexpr std::size_t directory_event_bytes_max = 512 * 1024;
// Events that a watcher takes at once: a large snapshot must fit into the window of a peer.
inline constexpr std::uint32_t watch_credit = 12;

// Items of a stream that may be on their way unasked for.
inline constexpr std::uint32_t stream_credit = 64;
// And their bytes: a producer with as many on their way waits, whatever the size of the next one, ...
inline constexpr std::size_t stream_bytes_max = 1024 * 1024;
// ... so a consumer gives credit for what it took when it comes to as many.
inline constexpr std::size_t stream_credit_bytes = stream_bytes_max / 4;

static_assert(frame_bytes_target + payload_bytes_max + envelope_overhead_bytes_max <= 2 * frame_bytes_max);
static_assert(payload_bytes_max + envelope_overhead_bytes_max <= frame_bytes_max);
static_assert(status_bytes_max + 2 * name_bytes_max < envelope_overhead_bytes_max);
static_assert(hello_bytes_max < frame_bytes_target);
static_assert(peer_window_bytes_max < shard_inbox_bytes_max, "one peer alone never fills a shard");
static_assert(mailbox_overshoot_bytes_max >= shard_inbox_bytes_max,
              "what waits for a shard may be for one worker");
static_assert(peer_held_bytes_max >= 4 * peer_window_bytes_max,
              "a window is on its way when it is told to send less");
static_assert(peer_held_bytes_max >= 16 * (stream_bytes_max + payload_bytes_max),
              "some streams of large items fit");
static_assert(frame_bytes_max <= peer_window_bytes_max, "one frame must fit into an empty window");
static_assert(2 * (acknowledge_bytes + frame_bytes_max) <= peer_window_bytes_max,
              "who keeps up acknowledges before the window is full");
static_assert(peer_window_bytes_max + peer_waiting_bytes_max < peer_essential_bytes_max);
static_assert(4 * redial_session_max < return_within, "several dials before it is taken for gone");
static_assert(stream_bytes_max + payload_bytes_max <= peer_window_bytes_max / 4,
              "a few streams of large items fit into one window");
static_assert(beat_interval * 3 <= suspect_after, "two lost beats alone make nobody suspect");
static_assert(doubt_eases_after < down_after, "one hiccup makes nobody notice later silence later");
static_assert(suspect_after + session_handshake_timeout < down_after,
              "a peer that went quiet is dialled anew in time, though the dial may hang");
static_assert(renew_interval * 3 <= lease_ttl, "a lease survives two lost renewals");
static_assert(directory_event_bytes_max + node_record_bytes_max <= payload_bytes_max);
static_assert(watch_credit * directory_event_bytes_max < peer_window_bytes_max);
static_assert(keeper_after * 2 < beat_interval, "a held shard 0 never costs a beat");

}  // namespace cobus::limits
