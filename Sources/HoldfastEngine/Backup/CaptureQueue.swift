internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Gathers steps into jobs, lets workers perform them, and gives their results on in path order.
final class CaptureQueue {
  private let pool: OrderedPool<CaptureJob>
  private let results: CaptureResults

  init(host: Host, compression: Compression, _ results: CaptureResults) throws {
    self.results = results
    pool = try OrderedPool(
      workers: host.workers, capacity: host.workers * 4 + 2, batch: 2,
      makeJob: { try CaptureJob(host: host, compression: compression) },
      perform: CaptureJob.perform)
  }

  func add(_ step: CaptureStep) throws { try add(step, bytes: 0) }

  /// - Parameter bytes: the number of bytes that the step is expected to read.
  func add(_ step: CaptureStep, bytes: Int) throws {
    if try pool.next(results.take).plannedBytes + bytes > Limits.archiveFrameBytes { try submit() }
    let job = try pool.next(results.take)
    job.steps.append(step)
    job.plannedBytes += bytes
    if job.steps.count >= CaptureJob.stepsMax { try submit() }
  }

  /// Waits until the results of all steps are recorded.
  func drain() throws {
    if try !pool.next(results.take).steps.isEmpty { try submit() }
    try pool.drain(results.take)
  }

  /// Ends the workers.
  func stop() { pool.stop() }

  private func submit() throws {
    try pool.next(results.take).head = results.headForNextJob()
    try pool.submit(results.take)
  }
}
