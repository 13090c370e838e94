internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// Finds what is unusual about the snapshots of a source: their sizes, the size of the source, their times, and what
/// the notes say of them.
struct UnusualSnapshots {
  /// With fewer snapshots of a kind no size counts as usual.
  private static let samplesMin = 8
  /// The number of spreads from the median from which on a value is unusual.
  private static let spreadsMax = 6.0
  /// The spread of sizes that is assumed if they vary less, in doublings.
  private static let doublingsMin = 0.4
  /// A size below the usual by fewer doublings is never unusual: a quiet hour, a weekend.
  private static let doublingsBelowMin = 4.0
  /// A smaller loss of the source's bytes is never unusual.
  private static let lostShareMin = 0.2
  private static let lostSpreadMin = 0.01

  private let snapshots: [Snapshot]
  private let stored: [StoredSnapshot]
  private let notes: [SourceNotes.Note]

  init(_ source: ReportFacts.Source) {
    snapshots = source.snapshots.sorted(by: Snapshot.isOlder)
    stored = StoredSnapshot.all(of: source)
    notes = source.notes
  }

  var events: [UnusualEvent] { sizes + losses + times + damage }

  // MARK: Sizes

  private var sizes: [UnusualEvent] {
    let kinds = Dictionary(grouping: stored.filter { $0.bytes > 0 }, by: \.kind)
    return kinds.values.flatMap { its -> [UnusualEvent] in
      let doublings = its.map { Self.doublings(Double($0.bytes)) }
      guard its.count >= Self.samplesMin, let usual = RobustStatistic(doublings),
        let median = RobustStatistic.median(its.map { Double($0.bytes) })
      else { return [] }
      let above = Self.spreadsMax * max(usual.spread, Self.doublingsMin)
      let below = max(above, Self.doublingsBelowMin)
      return zip(its, doublings).filter { $1 - usual.median > above || usual.median - $1 > below }.map { one, _ in
        Self.size(of: one, usual: UInt64(saturating: median), among: its.count)
      }
    }
  }

  private static func size(of snapshot: StoredSnapshot, usual: UInt64, among count: Int) -> UnusualEvent {
    let kind = snapshot.kind.rawValue
    let article = snapshot.kind == .incremental ? "an" : "a"
    return UnusualEvent(
      .size, snapshot.started,
      "The \(kind) \(snapshot.id.short) stored \(Amount.bytes(snapshot.bytes)); usual for \(article) \(kind) are \(Amount.bytes(usual)) (median of \(count))."
    )
  }

  /// The number of times that 1 is doubled to reach a number: its binary logarithm, straight between powers of two.
  static func doublings(_ number: Double) -> Double { Double(number.exponent) + number.significand - 1 }

  // MARK: Losses

  private var losses: [UnusualEvent] {
    let lost = zip(snapshots, snapshots.dropFirst()).map { before, after -> Double in
      let (old, new) = (Double(before.envelope.state.bytes), Double(after.envelope.state.bytes))
      return old > new ? (old - new) / old : 0
    }
    let usual = lost.count >= Self.samplesMin ? RobustStatistic(lost) : nil
    let bound = usual.map { $0.median + Self.spreadsMax * max($0.spread, Self.lostSpreadMin) } ?? 0
    return snapshots.indices.compactMap { index in
      let (snapshot, started) = (snapshots[index], snapshots[index].envelope.started)
      if let anomalies = snapshot.envelope.comparison?.anomalies, !anomalies.isEmpty {
        let reason = notes.first { $0.snapshot == snapshot.id }?.accepted
        let accepted = reason.map { $0.reason.isEmpty ? " It was accepted." : " It was accepted: \($0.reason)." }
        return UnusualEvent(
          .source, started,
          "Snapshot \(snapshot.id.short) does not look like a normal day: \(anomalies.map(\.description).joined(separator: ", ")).\(accepted ?? "")"
        )
      }
      guard index > 0, lost[index - 1] >= max(bound, Self.lostShareMin) else { return nil }
      let before = Amount.bytes(snapshots[index - 1].envelope.state.bytes)
      return UnusualEvent(
        .source, started,
        "The source shrank from \(before) to \(Amount.bytes(snapshot.envelope.state.bytes)), by \(Amount.share(lost[index - 1])), before snapshot \(snapshot.id.short)."
      )
    }
  }

  // MARK: Times and damage

  private var times: [UnusualEvent] {
    let own = snapshots.filter { $0.envelope.merged == nil }
    let contradicting = zip(own, TimeOrder.contradictions(in: own.map(\.envelope.started))).filter { $1 }.map { $0.0 }
    guard let first = contradicting.first else { return [] }
    return [
      UnusualEvent(
        .clock, first.envelope.started,
        "The times of \(Amount.count(UInt64(contradicting.count), "snapshot")) contradict the order of their numbers, \(first.id.short) first: a clock was wrong."
      )
    ]
  }

  private var damage: [UnusualEvent] {
    notes.compactMap { note in
      note.damaged.map {
        UnusualEvent(
          .damage, $0.moment,
          "Snapshot \(note.snapshot.short) was found damaged, and no verify has read all of it since.")
      }
    }
  }
}
