import HoldfastFailover
import HoldfastTestSupport
import Testing

/// The course of the command allows what the model allows, which was proved in every order of steps, and nothing else.
@Suite struct FailoverCourseTests {
  private typealias Phase = FailoverCourse.Phase

  private static let facts: [FailoverCourse.Fact] =
    [.probeFailed, .fenced, .fenceUnknown, .overtaken, .restored, .promoted]
    + (0...7).flatMap { [.silent(seen: $0), .created(number: $0)] }

  private func phase(_ phase: FailoverModel.Phase) -> Phase {
    switch phase {
    case .following: .following
    case .silent(let seen, _): .silent(seen: UInt64(seen))
    case .probed(let seen, _): .probed(seen: UInt64(seen))
    case .fenced(let seen, _): .fenced(seen: UInt64(seen))
    case .holding(let number, _): .holding(number: UInt64(number))
    case .restored(let number, _): .restored(number: UInt64(number))
    case .announced(let number, _): .announced(number: UInt64(number))
    case .serving(let number, _): .serving(number: UInt64(number))
    }
  }

  @Test func itIsTheModel() {
    let changes = FailoverModel().changes()
    var allowed: [Phase: Set<Phase>] = [:]
    for change in changes { allowed[phase(change.before), default: []].insert(phase(change.after)) }
    let phases = Set(allowed.keys).union(allowed.values.joined())
    #expect(phases.count > 20, "\(phases.count)")
    for before in phases {
      let courses = [false, true].map { FailoverCourse(isAnnounced: $0, phase: before) }
      let reached = Set(courses.flatMap { course in Self.facts.compactMap { course.phase(after: $0) } })
      let known = allowed[before] ?? []
      // A crash leads back to the beginning from everywhere; and the model has no number above its limit.
      let missing = known.subtracting(reached).subtracting([.following])
      #expect(missing.isEmpty, "\(before) leads to \(missing) in the model, and not here")
      // Who goes on after an announcement takes whatever number is next, and the model does not come to all of them.
      let isGoingOn = before == .following && known.contains { if case .announced = $0 { true } else { false } }
      let excess = reached.intersection(phases).subtracting(known).subtracting([before, .following])
        .filter { if case .announced = $0 { !isGoingOn } else { true } }
      #expect(excess.isEmpty, "\(before) leads to \(excess) here, and not in the model")
    }
  }

  /// The fence that was made under one number counts for no other.
  @Test func aFenceBelongsToItsNumber() {
    var course = FailoverCourse(isAnnounced: false)
    let facts: [FailoverCourse.Fact] = [
      .silent(seen: 4), .probeFailed, .fenced, .created(number: 6), .overtaken,
    ]
    let known = facts.map { course.learn($0) }
    #expect(known == [true, true, true, false, true] && course.step == .listen)
  }

  @Test func renewalsOfItsOwnCountForNoOther() {
    var course = FailoverCourse(isAnnounced: false)
    let facts: [FailoverCourse.Fact] = [
      .silent(seen: 4), .probeFailed, .fenced, .created(number: 5), .renewed(number: 7), .restored,
      .renewed(number: 9), .created(number: 10), .promoted,
    ]
    let known = facts.map { course.learn($0) }
    #expect(!known.contains(false), "\(known)")
    #expect(course.phase == .serving(number: 10) && course.step == .tell)
  }
}
