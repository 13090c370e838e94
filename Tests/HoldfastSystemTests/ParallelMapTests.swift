import HoldfastSystem
import Synchronization
import Testing

/// What is computed on several threads comes out as a loop would give it.
@Suite(.timeLimit(.minutes(30))) struct ParallelMapTests {
  private struct Odd: Error, Equatable { let number: Int }

  @Test(arguments: [0, 1, 6, 7, 100, 101])
  func resultsAreInTheOrderOfTheElements(_ count: Int) throws {
    let squares = try Array(0..<count).mapInParallel(workers: 3, batch: 3) { $0 * $0 }
    #expect(squares == (0..<count).map { $0 * $0 })
  }

  @Test func everyElementIsTransformedOnce() throws {
    let seen = Mutex<[Int]>([])
    _ = try Array(0..<50).mapInParallel(workers: 2, batch: 4) { number in seen.withLock { $0.append(number) } }
    #expect(seen.withLock { $0.sorted() } == Array(0..<50))
  }

  @Test(arguments: [1, 2, 5])
  func theEarliestErrorIsThrown(_ workers: Int) {
    #expect(throws: Odd(number: 13)) {
      try Array(0..<100).mapInParallel(workers: workers, batch: 4) { number in
        if number == 13 || number == 14 || number > 60 { throw Odd(number: number) }
      }
    }
  }
}
