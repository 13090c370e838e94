internal import HoldfastModel

/// The latest answer times of a target, and the time until which it is asked after the others.
struct AnswerTimes {
  private static let kept = 64
  /// The fewest answers from which a percentile is computed.
  private static let knownMin = 8
  private var spans: [TimeSpan] = []
  private var oldest = 0
  private var restEnd = TimeSpan.zero

  mutating func note(_ span: TimeSpan) {
    guard spans.count == Self.kept else { return spans.append(span) }
    spans[oldest] = span
    oldest = (oldest + 1) % Self.kept
  }

  /// Returns the time after which another target is asked too: the 95th percentile of the last answers.
  func hedge(_ policy: TargetPolicy) -> TimeSpan {
    guard spans.count >= Self.knownMin else { return policy.hedgeFirst }
    return max(policy.hedgeMin, spans.sorted()[spans.count * 95 / 100])
  }

  mutating func rest(until end: TimeSpan) { restEnd = end }

  func isResting(at now: TimeSpan) -> Bool { now < restEnd }
}
