import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What hangs, such as a store on a server that is gone, keeps nothing else from being told.
@Suite(.timeLimit(.minutes(5))) struct TimedWorkTests {
  private struct Strange: Error {}

  @Test func whatHangsHidesNothing() throws {
    let hung = Monitor(false)
    defer { hung.withLock { $0 = true } }
    let found = try TimedWork.run(3, within: .seconds(2), unless: Cancellation()) { index in
      if index == 0 { _ = hung.wait { $0 ? true : nil } }
      if index == 1 { throw Strange() }
      return index
    }
    #expect(found.keys.sorted() == [1, 2])
    #expect(try found[2]?.get() == 2)
    #expect(throws: Strange.self) { try found[1]?.get() }
  }

  @Test func whatIsDoneIsNotWaitedFor() throws {
    let found = try TimedWork.run(20, within: .days(1), unless: Cancellation()) { $0 }
    #expect(found.count == 20)
  }

  @Test func aSignalEndsTheWait() {
    let (hung, cancellation) = (Monitor(false), Cancellation())
    defer { hung.withLock { $0 = true } }
    cancellation.raise()
    #expect(throws: Interrupted.self) {
      _ = try TimedWork.run(1, within: .days(1), unless: cancellation) { _ in hung.wait { $0 ? true : nil } != nil }
    }
  }
}
