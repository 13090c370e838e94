/// Many requests whose answers are awaited together, within a limit.
enum SFTPPipeline {
  /// The most requests of one caller that wait for an answer.
  private static let depth = 32

  /// Sends requests by their indexes, and takes the answers in the same order.
  /// - Throws: the first error of either function. Later answers are ignored.
  static func run(
    _ count: Int, send: (Int) throws -> SFTPReply, take: (Int, SFTPReply) throws -> Void
  ) throws {
    var waiting: [SFTPReply] = []
    waiting.reserveCapacity(min(count, depth))
    for index in 0..<count {
      if index >= depth { try take(index - depth, waiting[index % depth]) }
      let reply = try send(index)
      if index < depth { waiting.append(reply) } else { waiting[index % depth] = reply }
    }
    for index in max(0, count - depth)..<count { try take(index, waiting[index % depth]) }
  }
}
