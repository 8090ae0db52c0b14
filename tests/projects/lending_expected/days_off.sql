-- in sluice: select day, holiday, weekend, week_starts from calendar.days_off
values (date '2024-05-01', 'labour day', false, 'MONDAY'), (date '2024-05-09', 'ascension', false, 'MONDAY')
