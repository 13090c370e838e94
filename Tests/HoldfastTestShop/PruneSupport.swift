package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem
package import HoldfastTestSupport
internal import Testing

extension TestShop {
  /// Prunes as this machine, which remembers.
  @discardableResult
  package func prune(
    last: Int = 1, graceDays: Double = 7, in other: Repository? = nil, isDryRun: Bool = false,
    configure: (inout Prune.Options) -> Void = { _ in }
  ) throws -> Prune.Report {
    var policy = RetentionPolicy()
    policy.last = last
    var options = Prune.Options(policy: policy)
    options.grace = .days(graceDays)
    options.isDryRun = isDryRun
    configure(&options)
    return try Prune(repository: other ?? open(), options: options).run()
  }

  /// The numbers of the snapshots that there are, and with `removed` those that are removed.
  package func numbers(removed: Bool = false) throws -> [UInt64] {
    try open().catalog.allSnapshots(includingRemoved: removed) { Issue.record("\($0)") }.map(\.sequence)
  }

  /// The snapshot with this number.
  package func number(_ sequence: UInt64) throws -> Snapshot {
    let all = try open().catalog.allSnapshots(includingRemoved: true) { _ in }
    return try #require(all.first { $0.sequence == sequence })
  }

  /// So many snapshots, each of these kinds, a day apart, each with another file.
  package func fill(_ kinds: [SnapshotKind], _ clock: TestClock? = nil) throws {
    for kind in kinds {
      let number = try open().catalog.allSnapshots(includingRemoved: true) { _ in }.count + 1
      TestFiles.write("order number \(number)", to: source.appending("order \(number)"))
      try backup(kind, in: open())
      clock?.advance(days: 1)
    }
  }

  /// What every one of these restores to is what verify proves.
  package func expectSound(_ place: String = "") throws {
    let report = try verify(in: open())
    let findings = report.unreadable.map(\.message) + report.snapshots.flatMap(\.findings).map(\.message)
    #expect(report.exitStatus == .done, "\(place): \(findings)")
  }
}

extension Prune.Report {
  /// `1 keep`, `2 removed`: the actions by number, of one source.
  package var actions: [String] { Self.actions(sources.flatMap(\.lines)) }

  /// The same for the targets with a retention of their own.
  package var actionsElsewhere: [String] { Self.actions(sources.flatMap(\.targets).flatMap(\.lines)) }

  private static func actions(_ lines: [Prune.Line]) -> [String] {
    lines.map { line in
      let action =
        switch line.action {
        case .kept: "keep"
        case .locked(let end): "locked until \(TimeText.utc(end).prefix(10))"
        case .removed: "removed"
        case .waiting(let timeLeft): "waits" + (timeLeft.map { " \(Int(($0 / .days(1)).rounded())) d" } ?? "")
        case .held(.awaited(let target)): "waits for \(target)"
        case .held(.lastProved): "last proved"
        case .collected: "collected"
        }
      return "\(line.snapshot.sequence) \(action)"
    }
  }
}
