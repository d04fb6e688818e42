/** The periods that figures are asked for. */

/** How long they are. */
export const periodMinutes = { P_1H: 60, P_6H: 360, P_24H: 1_440, P_7D: 10_080, P_30D: 43_200 } as const;
export type PeriodName = keyof typeof periodMinutes;
