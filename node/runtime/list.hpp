// SPDX-License-Identifier: Apache-2.0
//
// Intrusive doubly linked list: run queues, waiters, children. Linking takes no allocation, and a
// hook unlinks itself when it is destroyed, so a coroutine frame may be destroyed while it waits
// anywhere. Used by one thread at a time.
#pragma once

#include "node/runtime/check.hpp"

namespace cobus {

class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }
  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  // Leaves the list it is in, if any.
  void unlink() noexcept {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T>
  friend class List;
  ListHook* next_ = nullptr;
  ListHook* previous_ = nullptr;
};

// Of objects that derive from ListHook. Owns none of them.
template <class T>
class List {
 public:
  List() noexcept {
    // not in the initializer: `head_` is its own neighbour while the list is empty
    head_.next_ = head_.previous_ = &head_;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    clear();
    head_.next_ = head_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
  [[nodiscard]] T& front() noexcept { return static_cast<T&>(*head_.next_); }
  void push_back(T& item) noexcept { insert_before(head_, item); }
  void push_front(T& item) noexcept { insert_before(*head_.next_, item); }
  // The first item, unlinked; null when empty.
  T* pop_front() noexcept {
    if (empty()) return nullptr;
    T& item = front();
    static_cast<ListHook&>(item).unlink();
    return &item;
  }
  // Moves all of `other` behind what is here.
  void splice(List& other) noexcept {
    if (other.empty()) return;
    ListHook* first = other.head_.next_;
    ListHook* last = other.head_.previous_;
    other.head_.next_ = other.head_.previous_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }
  void clear() noexcept {
    while (pop_front() != nullptr) {
    }
  }
  // Calls `visit` with each item; it may unlink that item, no other.
  template <class Visit>
  void each(Visit&& visit) {
    for (ListHook* at = head_.next_; at != &head_;) {
      ListHook* following = at->next_;
      visit(static_cast<T&>(*at));
      at = following;
    }
  }

 private:
  static void insert_before(ListHook& place, T& item) noexcept {
    ListHook& hook = item;
    COBUS_CHECK(!hook.linked());
    hook.previous_ = place.previous_;
    hook.next_ = &place;
    place.previous_->next_ = &hook;
    place.previous_ = &hook;
  }

  ListHook head_;
};

}  // namespace cobus
