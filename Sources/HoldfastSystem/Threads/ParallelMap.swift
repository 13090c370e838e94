extension Array where Element: Sendable {
  /// Returns the results of `transform` in the order of the elements, computed on several threads if there are many.
  /// - Parameters:
  ///   - workers: the number of threads, at least 1.
  ///   - batch: the number of elements that a thread takes at once. Up to twice as many are computed on this thread.
  /// - Throws: the error of the earliest element whose `transform` threw, as a loop would. Later elements may have been
  ///   computed.
  package func mapInParallel<Result: Sendable>(
    workers: Int, batch: Int, _ transform: @escaping @Sendable (Element) throws -> Result
  ) throws -> [Result] {
    guard count > 2 * batch else { return try map(transform) }
    let pool = OrderedPool(workers: workers, capacity: 4 * workers) {
      MapJob<Element, Result>()
    } perform: { job in
      job.outcome = .init { try job.elements.map(transform) }
    }
    defer { pool.stop() }
    var results: [Result] = []
    results.reserveCapacity(count)
    func take(_ job: MapJob<Element, Result>) throws { results += try job.outcome.get() }
    for start in stride(from: 0, to: count, by: batch) {
      try pool.next(take).elements = self[start..<Swift.min(start + batch, count)]
      try pool.submit(take)
    }
    try pool.drain(take)
    return results
  }
}

private final class MapJob<Element, Output> {
  var elements: ArraySlice<Element> = []
  var outcome: Result<[Output], any Error> = .success([])
}
