internal import HoldfastModel
internal import HoldfastSystem

/// One read of an object that several targets have. They are asked one after the other. If one fails, the next is asked
/// at once. If a far one has not answered in the time in which nearly all of its last answers came, the next is asked
/// too. The first answer counts.
struct HedgedRead {
  private struct Answers {
    var first: [Buffer]?
    /// The number of requests that were not answered yet.
    var running = 0
    var failures: [(copy: ObjectCopy, error: any Error)] = []
  }

  private let parts: [ReadPart]
  private let copies: [ObjectCopy]
  private let reading: TargetReading

  /// - Parameter copies: in the order in which they are asked.
  init(_ parts: [ReadPart], of copies: [ObjectCopy], _ reading: TargetReading) {
    (self.parts, self.copies, self.reading) = (parts, copies, reading)
  }

  /// Reads the parts into the caller's buffers.
  /// - Throws: the error of home, if no target can be read; `Interrupted` after a signal.
  func run() throws {
    let answers = Monitor(Answers())
    for (index, copy) in copies.enumerated() {
      let isLast = index == copies.count - 1
      if answers.withLock({ $0.running == 0 }), copy.isNear || copies.count == 1 {
        if readHere(copy, answers) { return noteFailures(answers) }
      } else {
        ask(copy, answers)
        let limit = isLast ? reading.policy.stallMax : reading.hedge(copy.target)
        let isAnswered = answers.wait(limit) { $0.first != nil ? true : $0.running == 0 ? false : nil }
        if isAnswered ?? false {
          takeFirst(answers)
          return noteFailures(answers)
        }
        if isAnswered == nil { reading.noteLate(copy.target) }
      }
      if let signal = answers.withLock({ $0.failures.last?.error as? Interrupted }) { throw signal }
    }
    throw failure(answers)
  }

  private func failure(_ answers: Monitor<Answers>) -> any Error {
    let failures = answers.withLock { $0.failures }
    if let failure = failures.first(where: { $0.copy.target == 0 }) ?? failures.first { return failure.error }
    let limit = reading.policy.stallMax.rounded()
    return StoreError.unavailable(location: reading.targets[0].store.location, reason: "no answer within \(limit)")
  }

  /// Reads on this thread, into the caller's buffers: another thread would gain nothing.
  private func readHere(_ copy: ObjectCopy, _ answers: Monitor<Answers>) -> Bool {
    do {
      try copy.read(parts)
      return true
    } catch {
      answers.withLock { $0.failures.append((copy, error)) }
      return false
    }
  }

  /// Reads on another thread, into buffers of its own: if another target answers first, nobody waits for it.
  private func ask(_ copy: ObjectCopy, _ answers: Monitor<Answers>) {
    answers.withLock { $0.running += 1 }
    let work: @Sendable () -> Void = { [parts, reading] in
      let buffers = parts.map { Buffer(capacity: $0.buffer.count) }
      let began = reading.clock.uptime()
      let outcome = Result {
        try copy.read(zip(parts, buffers).map { ReadPart(at: $0.offset, into: $1.bytes) })
      }
      if case .success = outcome { reading.noteAnswer(copy.target, after: reading.clock.uptime() - began) }
      answers.withLock { answers in
        answers.running -= 1
        switch outcome {
        case .success: answers.first = answers.first ?? buffers
        case .failure(let error): answers.failures.append((copy, error))
        }
      }
    }
    if !WorkerThread.detach(work) { work() }
  }

  private func takeFirst(_ answers: Monitor<Answers>) {
    let buffers = answers.withLock { $0.first } ?? []
    for (part, buffer) in zip(parts, buffers) { part.buffer.copyMemory(from: UnsafeRawBufferPointer(buffer.bytes)) }
  }

  /// Notes the failures of targets, after another one has answered.
  private func noteFailures(_ answers: Monitor<Answers>) {
    for (copy, error) in answers.withLock({ $0.failures }) { copy.noteFailure(error) }
  }
}
