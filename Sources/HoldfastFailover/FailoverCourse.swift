/// The course of a failover on the host of the standby: the table of docs/decisions/0045-standby-and-failover.md as a
/// state machine. It asks nobody and reads no clock: it is told facts, and says which step is next. What it allows is
/// what `FailoverModel` was proved with.
package struct FailoverCourse: Hashable, Sendable {
  package enum Phase: Hashable, Sendable {
    case following
    /// The newest number is this one, and there was none for the whole term of the lease.
    case silent(seen: UInt64)
    case probed(seen: UInt64)
    case fenced(seen: UInt64)
    /// The lease is held, with this number; it still says that the other host served last.
    case holding(number: UInt64)
    case restored(number: UInt64)
    /// This number says that this host serves.
    case announced(number: UInt64)
    case serving(number: UInt64)
  }

  /// The step that comes next.
  package enum Step: String, CaseIterable, Sendable {
    case listen, probe, fence, take, restore, announce, promote, tell
  }

  package enum Fact: Hashable, Sendable {
    case silent(seen: UInt64)
    case probeFailed
    case fenced
    /// The command ended, and it is not known if it did what it should.
    case fenceUnknown
    /// A number was created: by `take`, by `announce`.
    case created(number: UInt64)
    /// The holder of the lease has renewed it, up to this number.
    case renewed(number: UInt64)
    /// Another host has created a number.
    case overtaken
    case restored
    /// `promote` was begun right after the lease was found to be held.
    case promoted
  }

  package private(set) var phase: Phase
  /// True if an earlier number says already that this host serves: an earlier call has announced it, or the old primary
  /// has handed over.
  package let isAnnounced: Bool

  package init(isAnnounced: Bool, phase: Phase = .following) { (self.isAnnounced, self.phase) = (isAnnounced, phase) }

  package var step: Step {
    switch phase {
    case .following: isAnnounced ? .take : .listen
    case .silent: .probe
    case .probed: .fence
    case .fenced: .take
    case .holding: .restore
    case .restored: .announce
    case .announced: .promote
    case .serving: .tell
    }
  }

  /// Returns the phase after a fact; `nil` if the fact cannot follow.
  package func phase(after fact: Fact) -> Phase? {
    switch (phase, fact) {
    case (.following, .silent(let seen)) where !isAnnounced: .silent(seen: seen)
    case (.following, .created(let number)) where isAnnounced: .announced(number: number)
    case (.silent(let seen), .probeFailed): .probed(seen: seen)
    case (.probed(let seen), .fenced): .fenced(seen: seen)
    case (.probed, .fenceUnknown): phase
    // A fence belongs to the number that was read before it.
    case (.fenced(let seen), .created(let number)) where number == seen + 1: .holding(number: number)
    case (.fenced, .overtaken), (.restored, .overtaken), (.announced, .overtaken): .following
    case (.holding(let number), .restored): .restored(number: number)
    case (.holding(let held), .renewed(let number)) where number >= held: .holding(number: number)
    case (.restored(let held), .renewed(let number)) where number >= held: .restored(number: number)
    case (.restored(let held), .created(let number)) where number == held + 1: .announced(number: number)
    case (.announced(let number), .promoted): .serving(number: number)
    default: nil
    }
  }

  /// - Returns: false if the fact cannot follow; then nothing changes.
  package mutating func learn(_ fact: Fact) -> Bool {
    guard let next = phase(after: fact) else { return false }
    phase = next
    return true
  }
}
