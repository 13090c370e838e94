internal import HoldfastEngine
internal import HoldfastModel

/// The sentence at the top of a report: can the shop be brought back, from when, and how fast.
struct Verdict {
  /// `nil` if nothing is wrong.
  let level: SourceStatus.Concern.Level?
  let text: String

  init(_ facts: ReportFacts) {
    let statuses = facts.sources.map(\.status)
    guard !statuses.isEmpty else {
      (level, text) = (.critical, "Nothing can be restored: there is no snapshot.")
      return
    }
    level = statuses.compactMap(\.level).max()
    let concerns = statuses.flatMap { status in
      status.concerns.filter { $0.level == status.level }.map { (level: $0.level, text: "\(status.name): \($0.text)") }
    }
    if let level, let first = concerns.first(where: { $0.level == level }) {
      let others = concerns.count - 1
      text = "\(first.text)." + (others > 0 ? " There \(others == 1 ? "is 1 more" : "are \(others) more") below." : "")
      return
    }
    let oldest = statuses.max { ($0.completeAge ?? .zero) < ($1.completeAge ?? .zero) }
    let age = oldest?.completeAge.map { ", to a state that is at most \(Amount.age($0)) old" } ?? ""
    let slowest = statuses.compactMap(\.restoreDuration).max()
    let duration =
      slowest.map { " A restore of one takes about \(Amount.duration($0))." }
      ?? " How long a restore takes is not known: none was measured."
    text =
      (statuses.count == 1 ? "The source can be restored" : "All \(statuses.count) sources can be restored")
      + age + "." + duration
  }
}
