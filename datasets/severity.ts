/** The five words for severity, and how other systems' words map to them. */
import type { RawEvent } from './types.js';

const words = new Map(
  Object.entries({
    critical: 'critical',
    emergency: 'critical',
    emerg: 'critical',
    alert: 'critical',
    crit: 'critical',
    fatal: 'critical',
    panic: 'critical',
    high: 'high',
    error: 'high',
    err: 'high',
    severe: 'high',
    medium: 'medium',
    warning: 'medium',
    warn: 'medium',
    moderate: 'medium',
    low: 'low',
    notice: 'low',
    info: 'info',
    informational: 'info',
    information: 'info',
    debug: 'info',
    trace: 'info',
    verbose: 'info',
  }),
);

/** Syslog's numbers (RFC 5424): 0 emergency .. 7 debug. */
const syslog = ['critical', 'critical', 'critical', 'high', 'medium', 'low', 'info', 'info'];

/** Maps `severity` to the five words and keeps another original in `original_severity`. An absent one is info. */
export function normaliseSeverity(event: RawEvent): RawEvent {
  const original = event.severity;
  if (original === undefined || original === null) return { ...event, severity: 'info' };
  const mapped = typeof original === 'number' ? syslog[original] : words.get(String(original).trim().toLowerCase());
  if (mapped === original) return event;
  return { ...event, severity: mapped ?? 'info', original_severity: original };
}
