package import HoldfastEngine
package import HoldfastModel

/// The result of a run on one source, or its plan in a dry run.
package struct RunJSON: Encodable {
  struct Step: Encodable {
    /// `full`, `differential`, `incremental`, `merge`, `merge-elsewhere`, `prune`, `prove`,
    /// `drill` or `drill-elsewhere`.
    let step: String
    let reason: String
    /// Absent when the step was not done.
    let exitStatus: Int32?
    let summary: String?
  }

  let source: String
  let exitStatus: Int32
  let error: ErrorJSON.Failure?
  /// The reason why no snapshot was due; absent when one was.
  let idle: String?
  let steps: [Step]

  /// - Parameters:
  ///   - error: the first of its failures.
  ///   - plan: the steps that were due; `nil` when nothing could be planned.
  ///   - outcome: returns the outcome of a line of the plan, if it was done.
  package init(
    _ source: SourceName, status: ExitStatus, error: (any OperatorError)?, plan: RunPlan?,
    outcome: (RunPlan.Line) -> (status: ExitStatus, summary: String)?
  ) {
    (self.source, exitStatus) = (source.text, status.rawValue)
    self.error = error.map { ErrorJSON.Failure($0) }
    idle = plan?.idleReason
    steps = (plan?.lines ?? []).map { line in
      let outcome = outcome(line)
      return Step(
        step: Self.name(line.step), reason: line.reason, exitStatus: outcome?.status.rawValue,
        summary: outcome?.summary)
    }
  }

  private static func name(_ step: RunPlan.Step) -> String {
    switch step {
    case .take(let kind): kind.rawValue
    case .merge: "merge"
    case .gather: "gather"
    case .mergeElsewhere: "merge-elsewhere"
    case .prune: "prune"
    case .pruneElsewhere: "prune-elsewhere"
    case .verify: "prove"
    case .drill: "drill"
    case .drillElsewhere: "drill-elsewhere"
    }
  }
}

/// The results of a run on all its sources, as `run --json` shows them.
package struct RunsJSON: Encodable {
  let sources: [RunJSON]

  package init(_ sources: [RunJSON]) { self.sources = sources }
}

/// A step that is due, for people.
package enum StepText {
  package static func words(_ step: RunPlan.Step) -> String {
    switch step {
    case .take(let kind): "would take \(kind == .incremental ? "an" : "a") \(kind.rawValue)"
    case .merge: "would merge"
    case .gather(let count): "would make \(Amount.count(UInt64(count), "increment")) one"
    case .mergeElsewhere: "a merge is due, and runs where an identity is"
    case .prune: "would prune"
    case .pruneElsewhere: "a prune is due, and runs on a machine that may"
    case .verify(_, let count): "would prove \(Amount.share(Double(count) / Double(VerifyRound.parts))) of its data"
    case .drill: "would drill the newest snapshot"
    case .drillElsewhere: "a drill is due, and runs where an identity is"
    }
  }
}
