import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What monitoring systems get of `holdfast status`: a plugin's line for Nagios, a file for Prometheus.
@Suite struct MonitoringTests {
  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    return tool
  }

  // MARK: Nagios

  private func line(_ tool: Tool, _ arguments: String...) -> (status: Int32?, line: String) {
    let result = RunningProcess(tool.start(["status", "--nagios"] + arguments)).wait()
    #expect(result.error == "")
    #expect(result.output.filter(\.isNewline).count == 1, "\(result.output)")
    let plain = tool.plain(result.output).replacing(/=\d+(\.\d+)?(?=s|B)/, with: "=N")
    return (result.exitStatus, String(plain.dropLast()))
  }

  @Test func allIsWell() {
    let tool = shop()
    let (status, line) = line(tool, "--max-age", "26h", "--max-chain", "30")
    #expect(status == 0)
    #expect(
      line
        == "HOLDFAST OK - 1 source, the newest snapshot of source is SECONDS old | 'source_age'=Ns;;93600;0 'source_chain'=1;;30;0 'source_stored'=NB;;;0 'source_restore'=U"
    )
  }

  @Test func aConcernIsAWarning() {
    let tool = shop()
    tool.run("backup", "source", "--before", "echo 'a|b'; exit 7")
    let (status, line) = line(tool)
    #expect(status == 1)
    #expect(line.hasPrefix("HOLDFAST WARNING - source: the last backup failed: "), "\(line)")
    #expect(line.split(separator: "|").count == 2, "nothing but performance data is behind the only bar")
  }

  @Test func aMissedObjectiveIsCritical() {
    let tool = shop()
    let (status, line) = line(tool, "--max-age", "0")
    #expect(status == 2)
    #expect(
      line.hasPrefix(
        "HOLDFAST CRITICAL - source: the newest complete snapshot is SECONDS old, and SECONDS are allowed | "),
      "\(line)")
    let empty = Tool()
    empty.run("init", "--unsealed")
    #expect(self.line(empty) == (2, "HOLDFAST CRITICAL - no snapshots in DIR/repository"))
  }

  @Test func whatIsNotThereIsCritical() {
    #expect(line(Tool()) == (2, "HOLDFAST CRITICAL - there is no repository in DIR/repository"))
  }

  @Test func whatCannotBeLookedAtIsUnknown() {
    let tool = Tool()
    let result = RunningProcess(tool.start(["status", "--nagios", "--max-age", "soon"])).wait()
    #expect(result.exitStatus == 3, "a plugin that is called wrongly does not look critical")
  }

  // MARK: Prometheus

  /// The samples of a file as Prometheus' own library reads them: `name{label="value",…}` by value.
  private func samples(_ tool: Tool, _ file: String) throws -> [String: Double] {
    let script = """
      import json, sys
      from prometheus_client.parser import text_string_to_metric_families
      samples = {}
      for family in text_string_to_metric_families(open(sys.argv[1], newline="").read()):
          assert family.type == "gauge" and family.documentation, family
          for sample in family.samples:
              assert sample.timestamp is None, sample
              assert sample.labels.pop("name").endswith("/repository"), sample
              assert len(sample.labels.pop("repository", 32 * "0")) == 32, sample
              labels = ",".join('%s=%s' % pair for pair in sorted(sample.labels.items()))
              assert (sample.name, labels) not in samples
              samples["%s{%s}" % (sample.name, labels)] = sample.value
      print(json.dumps(samples))
      """
    let result = tool.other("/usr/bin/python3", "-c", script, file)
    try #require(result.exitStatus == 0, "\(result.error)")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Double], "\(result.output)")
  }

  @Test func theFileIsWhatPrometheusReads() throws {
    let tool = shop()
    tool.run("backup", "source", "--name", "other.shop-2")
    tool.run("verify", "--data")
    tool.run("restore", "--target", "restored", "--name", "source")
    let began = Date().timeIntervalSince1970
    let result = tool.run("status", "--max-age", "0", "--max-chain", "5", "--prometheus", "holdfast.prom", "--quiet")
    #expect(result.exitStatus == 30)
    #expect(TestFiles.permissions(tool.directory.appending("holdfast.prom")) == 0o644)
    let samples = try samples(tool, "holdfast.prom")
    #expect(samples["holdfast_snapshots{source=source}"] == 1)
    #expect(samples["holdfast_snapshots{source=other.shop-2}"] == 1)
    #expect(samples["holdfast_chain_length{source=source}"] == 1)
    #expect(samples["holdfast_state_bytes{source=source}"] == 8)
    #expect(samples["holdfast_proved_ratio{source=source}"] == 1)
    #expect(samples["holdfast_run_failure_ratio{source=source}"] == 0)
    #expect(samples["holdfast_redundancy_degree{source=source}"] == 1)
    #expect(samples["holdfast_objective_missed{objective=age,source=source}"] == 1)
    #expect(samples["holdfast_objective_missed{objective=chain,source=source}"] == 0)
    #expect(samples["holdfast_objective_missed{objective=proof,source=source}"] == nil)
    #expect(samples["holdfast_growth_bytes_per_second{source=source}"] == nil, "unknown is no sample")
    #expect((samples["holdfast_restore_bytes_per_second{basis=restores,source=source}"] ?? 0) > 0)
    let taken = try #require(samples["holdfast_snapshot_time_seconds{source=source}"])
    #expect(taken <= began && taken > began - 3600)
    #expect((samples["holdfast_status_time_seconds{}"] ?? 0) > began - 3600)
    #expect((samples["holdfast_available_bytes{}"] ?? 0) > 0)
    #expect(samples["holdfast_level{source=source}"] == 2)
    #expect(samples["holdfast_sources{}"] == 2 && samples["holdfast_repository_answers{}"] == 1)
    #expect(samples["holdfast_known_damage{source=source}"] == 0)
    #expect(samples["holdfast_objective{objective=chain,source=source}"] == 5)
  }

  @Test func theFileIsReplacedAsAWhole() throws {
    let tool = shop()
    TestFiles.write("old", to: tool.directory.appending("holdfast.prom"))
    TestFiles.setMode(tool.directory.appending("holdfast.prom"), 0o600)
    let result = tool.other("sh", "-c", "umask 077; exec \(Tool.binary.text) status --prometheus holdfast.prom --quiet")
    #expect(result.exitStatus == 0)
    #expect(TestFiles.permissions(tool.directory.appending("holdfast.prom")) == 0o644, "whatever the umask says")
    #expect(try samples(tool, "holdfast.prom").count > 10)
    #expect(TestFiles.names(in: tool.directory.path).filter { $0.contains("prom") } == ["holdfast.prom"])
  }

  @Test func aFileThatCannotBeWrittenIsAnErrorBehindTheResult() {
    let tool = shop()
    let result = tool.run("status", "--prometheus", "nowhere/holdfast.prom")
    #expect(result.exitStatus == 1)
    #expect(result.output.hasPrefix("source: OK\n"), "what was found is shown all the same")
    #expect(
      tool.plain(result.error).replacing(/-LONGID/, with: "-ID").hasPrefix(
        "holdfast: cannot create DIR/nowhere/holdfast.prom.unfinished-ID: No such file or directory\n"),
      "\(result.error)")
    let missed = tool.run("status", "--max-age", "0", "--prometheus", "nowhere/holdfast.prom")
    #expect(missed.exitStatus == 30, "what was found matters more")
  }
}
