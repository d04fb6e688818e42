/**
 * How the events of each dataset are measured: the severity of an event, and whether it is an error. The expressions are
 * SQL over the columns of the dataset's table. A dataset that is not listed is not counted: `audit_log` is left out since
 * not everyone who may see totals may see its rows.
 */
import { findDataset } from '../../datasets/index.js';
import type { Dataset } from '../../datasets/types.js';
import { fail } from '../../platform/errors.js';

/** From the worst to the mildest. */
export const severities = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof severities)[number];

interface Measure {
  /** Gives one of the five words for every event; what a sender left out or spelled strangely is info. */
  severity: string;
  /** Whether the event's outcome is a failure. Such an event is an error, and so is one of severity high or critical. */
  failed: string;
  /** False keeps a dataset out of totals over all datasets. */
  inTotals: boolean;
}

/** Requests to a web site: 500 and up is high, 400 and up is medium; both are failures. */
const httpStatus = (column: string): Pick<Measure, 'severity' | 'failed'> => ({
  severity: `CASE WHEN ${column} >= 500 THEN 'high' WHEN ${column} >= 400 THEN 'medium' ELSE 'info' END`,
  failed: `${column} >= 400`,
});

const measures: Record<string, Measure> = {
  // Ingest has mapped the severity to the five words. The outcome is no column: senders name it `outcome`, or
  // `event.outcome` as the Elastic Common Schema does.
  logs: {
    severity: `CASE WHEN severity IN ('critical', 'high', 'medium', 'low') THEN severity ELSE 'info' END`,
    failed: `lower(coalesce(attributes ->> 'outcome', attributes -> 'event' ->> 'outcome')) IN ('failure', 'failed', 'fail')`,
    inTotals: true,
  },
  // Windows writes the level as a word or as its number (1 critical .. 5 verbose), and marks a failed audit in EventType
  // or Keywords; 4625 is a failed logon and 4771 a failed Kerberos pre-authentication, whatever a forwarder kept of it.
  security_events: {
    severity: `CASE WHEN lower("Level") IN ('critical', 'crit', '1') THEN 'critical'
                    WHEN lower("Level") IN ('error', 'err', '2') THEN 'high'
                    WHEN lower("Level") IN ('warning', 'warn', '3') THEN 'medium'
                    WHEN lower("Level") = 'notice' THEN 'low' ELSE 'info' END`,
    failed: `"EventID" IN (4625, 4771) OR upper(attributes ->> 'EventType') = 'AUDIT_FAILURE'
             OR lower(attributes ->> 'Keywords') IN ('audit failure', '0x8010000000000000')`,
    inTotals: true,
  },
  website_logs: { ...httpStatus('status_code'), inTotals: true },
  // The organisation's own use of Harborwatch is no security event, and would grow with every look at a dashboard.
  web_activity: { ...httpStatus('status'), inTotals: false },
};

/** A dataset with how it is measured. */
export interface MeasuredDataset {
  dataset: Dataset;
  measure: Measure;
}

/** @returns undefined for a dataset that is not counted */
export function findMeasured(name: string): MeasuredDataset | undefined {
  const dataset = findDataset(name);
  const measure = dataset && measures[dataset.name];
  return measure && { dataset, measure };
}

/** The names of the datasets that a total counts: the one that was chosen, or all that are in totals. */
export function countedDatasets(chosen: string | null | undefined): string[] {
  if (chosen == null) return Object.keys(measures).filter((name) => measures[name]!.inTotals);
  const found = findMeasured(chosen);
  const known = Object.keys(measures).join(', ');
  const message = `There are no totals for the dataset "${chosen.slice(0, 80)}". There are for: ${known}.`;
  return [(found ?? fail('UNKNOWN_DATASET', message, { argument: 'dataset' })).dataset.name];
}
